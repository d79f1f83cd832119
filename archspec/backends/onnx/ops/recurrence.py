"""What runs along an axis, as ONNX's `Scan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from archspec.backends.onnx.place import RULES, Args, Place, Result, operand, optional
from archspec.backends.onnx.tape import Tape
from archspec.backends.onnx.tensor import Tensor
from archspec.ir.ops.recurrence import Scan
from archspec.ir.types import TensorType

Step = Callable[..., ir.Value]
"""Of a body's tape, what was carried so far, and one element of each operand: what is carried on."""
Read = tuple[ir.Value, int]
"""A value, and the axis that its elements are read along."""
Runs = tuple[ir.Value, ir.Value]


def run_along(step: Step, first: ir.Value, over: Sequence[Read], axis: int, dtype: str, place: Place) -> Runs:
    """What is carried after each step, stacked along `axis`, and after the last; all of `dtype`."""
    body = Tape(place.tape)
    carried, *elements = (body.input(name) for name in ("carried", *("element" for _ in over)))
    found = step(body, carried, *elements)
    ends = [found, body.one("Identity", found)]
    for value in (carried, *elements, *ends):
        value.type = ir.TensorType(place.dtype(dtype))
    graph = ir.Graph([carried, *elements], ends, nodes=body.nodes, name=place.tape.unique("step"))
    last, all_ = place.tape.op(
        "Scan",
        first,
        *(value for value, _ in over),
        outputs=2,
        body=graph,
        num_scan_inputs=len(over),
        scan_input_axes=[along for _, along in over],
        scan_output_axes=[axis],
    )
    return all_, last


@RULES.rule(Scan)
def _scan(op: Scan, args: Args, place: Place) -> Result:
    """ONNX Runtime takes 4 us a step; all at once in log2(S) passes takes 4 to 6 times as long."""
    type_, last = place.outputs
    axis, first = op.axis % type_.rank, optional(args, 2)
    start = place.read(first, type_.dtype) if first else _zeros(last, place)
    given = [_read(operand(args, i), axis, type_, place) for i in (0, 1)]

    def step(tape: Tape, before: ir.Value, *elements: ir.Value) -> ir.Value:
        rest = iter(elements)
        factor, summand = (value if along is None else next(rest) for value, along in given)
        return tape.one("Add", tape.one("Mul", factor, before), summand)

    over = [(value, along) for value, along in given if along is not None]
    return run_along(step, start, over, axis, type_.dtype, place)


def _read(x: Tensor, axis: int, type_: TensorType, place: Place) -> tuple[ir.Value, int | None]:
    """An operand and its axis to run along: None where it is the same at every step, and has no such axis."""
    value, along = place.read(x, type_.dtype), axis - type_.rank + x.type.rank
    if along < 0:
        return value, None
    if place.same(x.type.shape[along], type_.shape[axis]):
        return value, along
    return place.one("Squeeze", value, place.tape.integers(along)), None


def _zeros(type_: TensorType, place: Place) -> ir.Value:
    return place.one("Expand", place.scalar(0, type_.dtype), place.shape(type_.shape))
