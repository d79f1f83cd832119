"""Which axis of an operand runs along an axis of the result, for operations that do not mix along it."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.dims import num as n
from archspec.ir.op import Op
from archspec.ir.ops.contract import Einsum, Matmul
from archspec.ir.ops.elementwise import Arith, Clamp, Compare, CompareScalar, Logic, Map, Scalar, Where
from archspec.ir.ops.recurrence import Scan
from archspec.ir.ops.reduce import Reduce
from archspec.ir.ops.shape import Expand, Permute, Reshape
from archspec.ir.ops.source import Cast
from archspec.ir.types import Shape, TensorType

ELEMENTWISE = (Map, Scalar, Arith, Compare, CompareScalar, Logic, Where, Clamp, Cast, Expand)
Axes = tuple[int | None, ...]


def operand_axes(op: Op, operands: Sequence[TensorType], result: TensorType, axis: int) -> Axes | None:
    """For each operand the axis along `axis` of the result, or None where it is the same all along.

    None in place of a tuple where elements along the axis may mix.
    """
    if isinstance(op, ELEMENTWISE) or (isinstance(op, Matmul) and axis < result.rank - 2):
        return tuple(_from_the_right(x, axis - result.rank) for x in operands)
    if isinstance(op, Scan):
        return (
            *(_from_the_right(x, axis - result.rank) for x in operands[:2]),
            *(None for _ in operands[2:]),
        )
    if isinstance(op, Einsum):
        terms = op.equation.replace(" ", "").partition("->")
        letter = terms[2][axis]
        return tuple(term.index(letter) if letter in term else None for term in terms[0].split(","))
    source = _source(op, operands[0], result, axis) if len(operands) == 1 else None
    return None if source is None else (source,)


def same_shape(a: Shape, b: Shape) -> bool:
    """Whether two shapes are the same, whatever their sizes are called."""
    return len(a) == len(b) and all(map(n.same, a, b))


def _from_the_right(x: TensorType, axis: int) -> int | None:
    """Axis -2 of x as a position, None where x lacks it or is broadcast along it."""
    position = x.rank + axis
    return None if position < 0 or x.shape[position].value == 1 else position


def _source(op: Op, x: TensorType, result: TensorType, axis: int) -> int | None:
    """The axis of the one operand, for operations that move axes about."""
    if isinstance(op, Permute):
        return op.axes[axis] % x.rank
    if isinstance(op, Reduce):
        folded = {a % x.rank for a in op.axes}
        kept = [a for a in range(x.rank) if op.keep or a not in folded]
        return None if kept[axis] in folded else kept[axis]
    if isinstance(op, Reshape):
        return _same_axis(x, result, axis)
    return None


def _same_axis(x: TensorType, result: TensorType, axis: int) -> int | None:
    """The axis before a reshape that adds and drops axes of size 1 alone."""
    old, new = ([a for a, size in enumerate(t.shape) if size.value != 1] for t in (x, result))
    alike = len(old) == len(new) and axis in new
    if not alike or not all(n.same(x.shape[a], result.shape[b]) for a, b in zip(old, new, strict=True)):
        return None
    return old[new.index(axis)]
