"""Operations that give elements another shape, and that change nothing."""

from __future__ import annotations

from archspec.backends.onnx.place import RULES, Args, Place, Result, operand
from archspec.backends.onnx.tensor import Tensor
from archspec.ir.op import Op
from archspec.ir.ops.elementwise import Dropout, StopGradient
from archspec.ir.ops.shape import Expand, Permute, Reshape
from archspec.ir.types import Shape

SWAPPED = (0, 2, 1, 3)  # [B, S, H, E] to [B, H, S, E], and back


def _itself(op: Op, args: Args, place: Place) -> Result:
    return operand(args)


for _same in (Dropout, StopGradient):  # which do something in training only
    RULES.rule(_same)(_itself)


@RULES.rule(Reshape)
def _reshape(op: Reshape, args: Args, place: Place) -> Result:
    x = operand(args)
    if x.joined is not None and _parts_heads(op.shape, x.type.shape, place):
        return x.joined
    joined = x.value if _parts_heads(x.type.shape, op.shape, place) else None
    return Tensor(place.outputs[0], lambda: place.reshape(x.value, x.type.shape, op.shape), joined=joined)


def _parts_heads(before: Shape, after: Shape, place: Place) -> bool:
    """Whether it is [B, S, H * E] to [B, S, H, E]."""
    return len(before) == 3 and len(after) == 4 and all(map(place.same, before[:2], after))


@RULES.rule(Permute)
def _permute(op: Permute, args: Args, place: Place) -> Result:
    x = operand(args)
    if op.axes == tuple(range(x.type.rank)):
        return x
    rows, joined = (x.joined, x.rows) if op.axes == SWAPPED else (None, None)
    return Tensor(
        place.outputs[0], lambda: place.one("Transpose", x.value, perm=op.axes), rows, joined=joined
    )


@RULES.rule(Expand)
def _expand(op: Expand, args: Args, place: Place) -> Result:
    x = operand(args)
    same = len(x.type.shape) == len(op.shape) and all(map(place.same, x.type.shape, op.shape))
    return x if same else place.one("Expand", x.value, place.shape(op.shape))
