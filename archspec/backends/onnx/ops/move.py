"""Operations that pick elements and place them elsewhere."""

from __future__ import annotations

import onnx_ir as ir

from archspec.backends.onnx.place import RULES, Args, Place, Result, island, operand
from archspec.backends.onnx.tensor import Tensor
from archspec.dims import num as n
from archspec.ir.ops.shape import Concat, Flip, Gather, Pad, Roll, Scatter, Slice, Split, Take

END = 2**62
INDICES = ("int32", "int64")


@RULES.rule(Slice)
def _slice(op: Slice, args: Args, place: Place) -> Result:
    x = operand(args)
    axis = op.axis % x.type.rank
    if op.start.value == 0 and place.same(x.type.shape[axis], place.outputs[0].shape[axis]):
        return x
    stop = n.num(END) if op.stop is None else op.stop
    return cut(x.value, axis, place.shape([op.start]), place.shape([stop]), place)


def cut(x: ir.Value, axis: int, start: ir.Value, stop: ir.Value, place: Place) -> ir.Value:
    """The elements from `start` up to `stop`, both [1], along an axis."""
    return place.one("Slice", x, start, stop, place.tape.integers(axis))


@RULES.rule(Concat)
def _concat(op: Concat, args: Args, place: Place) -> Result:
    parts = [operand(args, i) for i in range(len(args))]
    if len(parts) == 1:
        return parts[0]
    return place.one("Concat", *(x.value for x in parts), axis=op.axis % parts[0].type.rank)


@RULES.rule(Split)
def _split(op: Split, args: Args, place: Place) -> Result:
    x = operand(args)
    if len(op.sizes) == 1:
        return x
    sizes, axis = place.shape(op.sizes), op.axis % x.type.rank
    return place.tape.op("Split", x.value, sizes, outputs=len(op.sizes), axis=axis)


@RULES.rule(Pad)
def _pad(op: Pad, args: Args, place: Place) -> Result:
    x = operand(args)
    if op.before.value == op.after.value == 0:
        return x
    sides, axis = place.shape([op.before, op.after]), place.tape.integers(op.axis % x.type.rank)
    return place.one("Pad", x.value, sides, place.rank0(op.value, x.type.dtype), axis)


@RULES.rule(Gather)
def _gather(op: Gather, args: Args, place: Place) -> Result:
    x = operand(args)
    return place.one("Gather", x.value, _index(operand(args, 1), place), axis=op.axis % x.type.rank)


@RULES.rule(Take)
def _take(op: Take, args: Args, place: Place) -> Result:
    x = operand(args)
    return place.one("GatherElements", x.value, _index(operand(args, 1), place), axis=op.axis % x.type.rank)


@RULES.rule(Scatter)
def _scatter(op: Scatter, args: Args, place: Place) -> Result:
    """Sums in fp32 below it: ONNX Runtime adds no fp16 on a CPU."""
    x, index = operand(args), _index(operand(args, 1), place)

    @island
    def summed(value: ir.Value, dtype: str, place: Place) -> ir.Value:
        zeros = place.one("Expand", place.scalar(0, dtype), place.shape(place.outputs[0].shape))
        return place.one("ScatterElements", zeros, index, value, axis=op.axis % x.type.rank, reduction="add")

    return summed(x.value, x.type.dtype, place)


def _index(x: Tensor, place: Place) -> ir.Value:
    return x.value if x.type.dtype in INDICES else place.read(x, "int64")


@RULES.rule(Flip)
def _flip(op: Flip, args: Args, place: Place) -> Result:
    x = operand(args)
    last, before_first = place.tape.integers(-1), place.tape.integers(-END)
    return place.one("Slice", x.value, last, before_first, place.tape.integers(op.axis % x.type.rank), last)


@RULES.rule(Roll)
def _roll(op: Roll, args: Args, place: Place) -> Result:
    """What lies before the cut goes behind the rest; the cut is -shift modulo the size."""
    x = operand(args)
    axis = op.axis % x.type.rank
    first, at, end = (
        place.tape.integers(0),
        _modulo(-op.shift, x.type.shape[axis], place),
        place.tape.integers(END),
    )
    parts = (cut(x.value, axis, at, end, place), cut(x.value, axis, first, at, place))
    return place.one("Concat", *parts, axis=axis)


def _modulo(a: n.Num, b: n.Num, place: Place) -> ir.Value:
    """a % b as [1]; sizes know it only of numbers that are not negative."""
    if a.static and b.static:
        return place.tape.integers(int(a) % int(b))
    return place.one("Mod", place.shape([a]), place.shape([b]))
