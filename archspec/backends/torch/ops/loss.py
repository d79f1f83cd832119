"""Losses, computed in fp32."""

from __future__ import annotations

from archspec.backends.torch.code import SUM, Code, Emission
from archspec.backends.torch.ops.dtypes import cast
from archspec.backends.torch.ops.rules import RULES, Args, operand, type_of
from archspec.backends.torch.ops.write import binary, call, method, numbers, option
from archspec.dims import num as n
from archspec.ir.ops.loss import CrossEntropy, MeanError


@RULES.rule(CrossEntropy)
def cross_entropy(op: CrossEntropy, args: Args, place: Emission) -> Code:
    """`F.cross_entropy` takes [N, C] and [N]."""
    logits, target = _as(place, args, 0, "float32"), _as(place, args, 1, "int64")
    if type_of(place).rank > 2:
        logits, target = method(logits, "flatten", "0", "-2"), method(target, "flatten")
    number = numbers(place)
    return call(
        place, "F.cross_entropy", logits, target,
        ignore_index=option(number, op.ignore_index, -100),
        label_smoothing=option(number, op.label_smoothing, 0),
    )  # fmt: skip


@RULES.rule(MeanError)
def mean_error(op: MeanError, args: Args, place: Emission) -> Code:
    a, b = _as(place, args, 0, "float32"), _as(place, args, 1, "float32")
    shapes = (type_of(place).shape, type_of(place, 1).shape)
    if len(shapes[0]) == len(shapes[1]) and all(map(n.same, *shapes)):
        return call(place, "F.mse_loss" if op.fn == "mse" else "F.l1_loss", a, b)
    error = binary("-", a, b, SUM)
    return method(method(error, "square" if op.fn == "mse" else "abs"), "mean")


def _as(place: Emission, args: Args, index: int, want: str) -> Code:
    x = operand(args, index)
    return x if type_of(place, index).dtype == want else cast(place, x, want)
