"""Recurrences."""

from __future__ import annotations

from archspec.backends.torch.code import Code, Emission
from archspec.backends.torch.dialect import OuterScan, ScanOver
from archspec.backends.torch.ops.dtypes import widened
from archspec.backends.torch.ops.rules import RULES, Args, optional
from archspec.backends.torch.ops.write import runtime
from archspec.ir.ops.recurrence import Scan


@RULES.rule(Scan)
def scan(op: Scan, args: Args, place: Emission) -> Code:
    start, dim = optional(args, 2), op.axis % place.outputs[0].rank
    indices = (0, 1) if start is None else (0, 1, 2)
    a, b, *first = widened(place, args, indices, place.outputs[0].dtype)
    over = "True" if isinstance(op, ScanOver) else None
    given = (a, b, *(first or [None]), None if dim == 1 else str(dim))
    return runtime(place, "scan", "linear_scan", *given, over=over)


RULES.rule(ScanOver)(scan)


@RULES.rule(OuterScan)
def outer_scan(op: OuterScan, args: Args, place: Emission) -> Code:
    given = widened(place, args, range(5), place.outputs[0].dtype)
    return runtime(place, "scan", "outer_scan", *given, None if op.axis == 1 else str(op.axis))
