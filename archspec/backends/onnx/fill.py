"""Tensors that hold one number everywhere: they are only written where something reads them."""

from __future__ import annotations

import numpy as np

from archspec.backends.onnx.place import Args, Place
from archspec.backends.onnx.tensor import Tensor
from archspec.ir.op import Op
from archspec.ir.ops.elementwise import Arith
from archspec.ir.ops.shape import Expand, Permute, Reshape, Slice
from archspec.ir.ops.source import Cast, Full
from archspec.ir.types import is_float

MOVING = (Reshape, Permute, Slice, Expand, Cast)
NEUTRAL = {"mul": 1.0, "add": 0.0}


def filled(op: Op, args: Args, place: Place) -> Tensor | None:
    """The result where it is one number everywhere, or an operand unchanged; None where a rule is needed."""
    if isinstance(op, Full) and op.value.static:
        return _full(float(op.value.real), place)
    first = args[0] if args else None
    if isinstance(op, MOVING) and first is not None and first.fill is not None:
        return _full(first.fill, place)
    return _unchanged(op, args, place) if isinstance(op, Arith) and op.fn in NEUTRAL else None


def _full(value: float, place: Place) -> Tensor:
    """The number, rounded to the dtype of the result."""
    type_ = place.outputs[0]
    number = value if is_float(type_.dtype) else int(value)
    rounded = np.array(number).astype(place.dtype(type_.dtype).numpy())
    scalar = place.tape.constant(rounded)
    return Tensor(type_, lambda: place.one("Expand", scalar, place.shape(type_.shape)), fill=float(rounded))


def _unchanged(op: Arith, args: Args, place: Place) -> Tensor | None:
    """x of `x * 1` and `x + 0`, where it has the type of the result."""
    for x, other in (args[:2], args[1::-1]):
        if x is not None and other is not None and other.fill == NEUTRAL[op.fn] and _is(x, place):
            return x
    return None


def _is(x: Tensor, place: Place) -> bool:
    type_ = place.outputs[0]
    fits = x.type.dtype == type_.dtype and x.type.rank == type_.rank
    return fits and all(map(place.same, x.type.shape, type_.shape))


__all__ = ["filled"]
