"""Tensors from nothing, and casts."""

from __future__ import annotations

from archspec.backends.onnx.place import RULES, Args, Place, Result, operand, optional
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.ops.source import Cast, Full, Iota, Otherwise, Random

RANDOM_ENDS = 22  # the opset from which ONNX Runtime 1.31 has no RandomNormalLike and RandomUniformLike


@RULES.rule(Iota)
def _iota(op: Iota, args: Args, place: Place) -> Result:
    ends = (place.rank0(x, "int64") for x in (op.start, op.start + op.size))
    return place.cast(place.one("Range", *ends, place.scalar(1, "int64")), "int64", op.dtype)


@RULES.rule(Full)
def _full(op: Full, args: Args, place: Place) -> Result:
    number = place.rank0(op.value, op.dtype)
    return place.one("Expand", number, place.shape(op.shape)) if op.shape else number


@RULES.rule(Random)
def _random(op: Random, args: Args, place: Place) -> Result:
    """Another draw in each run, and for each operation. Raises `UnsupportedError` (U004) from opset 22 on."""
    if place.profile.opset >= RANDOM_ENDS:
        problem = f"ONNX Runtime draws no random numbers in opset {place.profile.opset}"
        hint = "give them as an input, or choose the profile 'portable'"
        raise UnsupportedError(Diagnostic("U004", problem, place.span, hint))
    kind = "RandomNormalLike" if op.kind == "normal" else "RandomUniformLike"
    like = place.one("Expand", place.scalar(0, "float"), place.shape(op.shape))
    return place.tape.op(kind, like, alone=True)[0]


@RULES.rule(Otherwise)
def _otherwise(op: Otherwise, args: Args, place: Place) -> Result:
    return optional(args, 0) or operand(args, 1)


@RULES.rule(Cast)
def _cast(op: Cast, args: Args, place: Place) -> Result:
    x = operand(args)
    same = place.dtype(x.type.dtype) == place.dtype(op.dtype)
    return x if same else place.read(x, op.dtype)
