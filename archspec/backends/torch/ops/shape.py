"""Moving elements."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.torch.code import Code, Emission
from archspec.backends.torch.dialect import Moves, Select
from archspec.backends.torch.ops.dtypes import cast
from archspec.backends.torch.ops.reshape import is_one, reshaped
from archspec.backends.torch.ops.rules import RULES, Args, axis_text, operand, type_of
from archspec.backends.torch.ops.write import call, is_plain, method, numbers, option, says, tuple_
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.ops.shape import (
    Concat,
    Expand,
    Flip,
    Gather,
    Pad,
    Permute,
    Reshape,
    Roll,
    Scatter,
    Slice,
    Split,
    Take,
)
from archspec.ir.types import TensorType, is_float


@RULES.rule(Reshape)
def reshape(op: Reshape, args: Args, place: Emission) -> Code:
    return reshaped(place, operand(args), type_of(place).shape, op.shape)


@RULES.rule(Permute)
def permute(op: Permute, args: Args, place: Emission) -> Code:
    x, rank = operand(args), len(op.axes)
    moved = [i for i, axis in enumerate(op.axes) if i != axis]
    if not moved:
        return x
    if rank == 2:
        return Code(f"{x.atom}.T")
    if len(moved) == 2:
        last = rank > 3 and moved == [rank - 2, rank - 1]
        return method(x, "transpose", *(["-2", "-1"] if last else map(str, moved)))
    return method(x, "permute", *map(str, op.axes))


@RULES.rule(Expand)
def expand(op: Expand, args: Args, place: Emission) -> Code:
    old = type_of(place).shape
    lead = len(op.shape) - len(old)
    kept = [i >= lead and _stays(old[i - lead], size) for i, size in enumerate(op.shape)]
    if all(kept):
        return operand(args)
    sizes = ["-1" if k else numbers(place)(size) for k, size in zip(kept, op.shape, strict=True)]
    return method(operand(args), "expand", *sizes)


def _stays(old: Num, new: Num) -> bool:
    """Equal sizes; but what is written 1 may grow where the other size is a name for 1."""
    return n.same(old, new) and is_one(old) <= is_one(new)


@RULES.rule(Slice)
def slice_(op: Slice, args: Args, place: Emission) -> Code:
    type_ = type_of(place)
    axis = op.axis % type_.rank
    start = option(numbers(place), op.start, 0)
    whole = op.stop is None or _same_writing(op.stop, type_.shape[axis])
    stop = None if whole or op.stop is None else numbers(place)(op.stop)
    if start is None and stop is None:
        return operand(args)
    return Code(f"{operand(args).atom}[{_before(type_, axis)}{_range(start, stop)}]")


@RULES.rule(Select)
def select(op: Select, args: Args, place: Emission) -> Code:
    index = numbers(place)(op.index)
    return Code(f"{operand(args).atom}[{_before(type_of(place), op.axis)}{index}]")


def _same_writing(a: Num, b: Num) -> bool:
    return n.same(a, b) and str(a) == str(b)


def _before(type_: TensorType, axis: int) -> str:
    """The part of an index that leads to `axis`."""
    return "..., " if axis == type_.rank - 1 > 1 else ":, " * axis


def _range(start: str | None, stop: str | None) -> str:
    ends = (start or "", stop or "")
    space = "" if all(is_plain(end) and "." not in end for end in ends if end) else " "
    return f"{ends[0]}{space}:{space}{ends[1]}".strip()


@RULES.rule(Concat)
def concat(op: Concat, args: Args, place: Emission) -> Code:
    parts = [operand(args, i) for i in range(len(args))]
    if len(parts) == 1:
        return parts[0]
    listed = f"[{', '.join(part.text for part in parts)}]"
    return call(place, "torch.cat", listed, dim=axis_text(type_of(place), op.axis))


@RULES.rule(Split)
def split(op: Split, args: Args, place: Emission) -> Code:
    x, dim = operand(args), axis_text(type_of(place), op.axis)
    if len(op.sizes) == 1:
        return x
    texts = [numbers(place)(size) for size in op.sizes]
    if len(set(texts)) == 1:
        return method(x, "chunk", str(len(texts)), dim=dim)
    return method(x, "split", f"[{', '.join(texts)}]", dim=dim)


@RULES.rule(Pad)
def pad(op: Pad, args: Args, place: Emission) -> Code:
    return _padded((op,), args, place)


@RULES.rule(Moves)
def moves(op: Moves, args: Args, place: Emission) -> Code:
    pads = [step for step in op.steps if isinstance(step, Pad)]
    rolls = [step for step in op.steps if isinstance(step, Roll)]
    if pads:
        return _padded(pads, args, place)
    shifts = [numbers(place)(step.shift) for step in rolls]
    axes = [str(step.axis % type_of(place).rank) for step in rolls]
    return method(operand(args), "roll", tuple_(shifts), tuple_(axes))


def _padded(pads: Sequence[Pad], args: Args, place: Emission) -> Code:
    number, rank = numbers(place), type_of(place).rank
    ends = {op.axis % rank: (number(op.before), number(op.after)) for op in pads}
    ends = {axis: texts for axis, texts in ends.items() if not all(says(text, 0) for text in texts)}
    if not ends:
        return operand(args)
    amounts = [text for axis in range(rank - 1, min(ends) - 1, -1) for text in ends.get(axis, ("0", "0"))]
    value = option(number, pads[0].value, 0)
    return call(place, "F.pad", operand(args), tuple_(amounts), value=value)


@RULES.rule(Gather)
def gather(op: Gather, args: Args, place: Emission) -> Code:
    table = type_of(place)
    axis = op.axis % table.rank
    index = _index(place, operand(args, 1))
    if axis == 0 and table.rank == 2 and is_float(table.dtype):
        return call(place, "F.embedding", index, operand(args))
    return Code(f"{operand(args).atom}[{_before(table, axis)}{index.text}]")


@RULES.rule(Take)
def take(op: Take, args: Args, place: Emission) -> Code:
    index = _index(place, operand(args, 1))
    return method(operand(args), "gather", axis_text(type_of(place), op.axis), index)


@RULES.rule(Scatter)
def scatter(op: Scatter, args: Args, place: Emission) -> Code:
    place.require("runtime:scatter.scatter")
    index = operand(args, 1)
    index = index if type_of(place, 1).dtype == "int64" else cast(place, index, "int64")
    axis = axis_text(type_of(place), op.axis)
    return Code(f"scatter({operand(args).text}, {index.text}, {axis}, {numbers(place)(op.size)})")


def _index(place: Emission, index: Code) -> Code:
    """torch reads uint8 as a mask and takes no int8."""
    narrow = type_of(place, 1).dtype in ("int8", "uint8")
    return cast(place, index, "int64") if narrow else index


@RULES.rule(Flip)
def flip(op: Flip, args: Args, place: Emission) -> Code:
    return method(operand(args), "flip", axis_text(type_of(place), op.axis))


@RULES.rule(Roll)
def roll(op: Roll, args: Args, place: Emission) -> Code:
    shift = numbers(place)(op.shift)
    return method(operand(args), "roll", shift, axis_text(type_of(place), op.axis))
