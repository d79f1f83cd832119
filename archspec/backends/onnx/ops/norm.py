"""Normalisation. Statistics are in fp32: ONNX's norms keep them there (`stash_type`)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from archspec.backends.onnx.place import RULES, Args, Place, Result, operand, optional
from archspec.backends.onnx.tensor import Tensor
from archspec.dims.num import Num
from archspec.ir.ops.norm import BatchNorm, GroupNorm, LayerNorm, RmsNorm


@RULES.rule(LayerNorm)
def _layer_norm(op: LayerNorm, args: Args, place: Place) -> Result:
    x, bias = operand(args), _given(args, 2, place)
    weight = _given(args, 1, place) or _whole(1, x.type.shape[-1], x.type.dtype, place)
    return place.one("LayerNormalization", x.value, weight, bias, axis=-1, epsilon=op.eps.real)


@RULES.rule(RmsNorm)
def _rms_norm(op: RmsNorm, args: Args, place: Place) -> Result:
    """`cast: before` is where ONNX leaves fp32, too; `after` multiplies by the weight in fp32."""
    x = operand(args)
    dtype = "float32" if op.cast == "after" and optional(args, 1) is not None else x.type.dtype
    weight = _gain(op, args, dtype, place)
    normed = _rms_normed(op, place.read(x, dtype), weight, x.type.shape[-1], dtype, place)
    return place.cast(normed, dtype, x.type.dtype)


def _gain(op: RmsNorm, args: Args, dtype: str, place: Place) -> ir.Value | None:
    """weight + offset."""
    weight = optional(args, 1)
    if weight is None:
        return None
    value = place.read(weight, dtype)
    return value if op.offset.value == 0 else place.one("Add", value, place.rank0(op.offset, dtype))


def _rms_normed(
    op: RmsNorm, x: ir.Value, weight: ir.Value | None, width: Num, dtype: str, place: Place
) -> ir.Value:
    if place.profile.has("RMSNormalization"):
        gain = weight or _whole(1, width, dtype, place)
        return place.one("RMSNormalization", x, gain, axis=-1, epsilon=op.eps.real)
    wide = place.cast(x, dtype, "float32")
    # With Pow and Div ONNX Runtime fuses it; with Mul or Reciprocal it takes 2.4 times as long.
    squares = place.one("Pow", wide, place.scalar(2, "float32"))
    mean = place.one("ReduceMean", squares, place.tape.integers(-1))
    root = place.one("Sqrt", place.one("Add", mean, place.scalar(op.eps.real, "float32")))
    normed = place.cast(place.one("Div", wide, root), "float32", dtype)
    return normed if weight is None else place.one("Mul", normed, weight)


@RULES.rule(GroupNorm)
def _group_norm(op: GroupNorm, args: Args, place: Place) -> Result:
    """As the norm of instances whose channels are the groups: 1.7 times as fast as GroupNormalization."""
    x, groups, channels = operand(args), int(op.groups), int(operand(args).type.shape[1])
    weight, bias = (_given(args, index, place) for index in (1, 2))
    if groups == channels and x.type.rank > 2:
        return _instances(op, x.value, weight, bias, place)
    parted = place.one("Reshape", x.value, place.tape.integers(0, groups, -1))
    normed = place.like(_instances(op, parted, None, None, place), x)
    if weight is not None:
        normed = place.one("Mul", normed, _by_channel(weight, x, place))
    return normed if bias is None else place.one("Add", normed, _by_channel(bias, x, place))


def _instances(
    op: GroupNorm, x: ir.Value, weight: ir.Value | None, bias: ir.Value | None, place: Place
) -> ir.Value:
    dtype = place.outputs[0].dtype
    affine = (weight or _whole(1, op.groups, dtype, place), bias or _whole(0, op.groups, dtype, place))
    return place.one("InstanceNormalization", x, *affine, epsilon=op.eps.real)


def _by_channel(value: ir.Value, x: Tensor, place: Place) -> ir.Value:
    """[C] as it broadcasts to [B, C, ...]."""
    axes = range(1, x.type.rank - 1)
    return place.one("Unsqueeze", value, place.tape.integers(*axes)) if axes else value


@RULES.rule(BatchNorm)
def _batch_norm(op: BatchNorm, args: Args, place: Place) -> Result:
    """By running statistics. ONNX Runtime folds it into a convolution before it."""
    x = operand(args)
    mean, var, weight, bias = (_given(args, index, place) for index in (1, 2, 4, 5))
    channels, dtype = x.type.shape[1], x.type.dtype
    affine = (weight or _whole(1, channels, dtype, place), bias or _whole(0, channels, dtype, place))
    return place.one("BatchNormalization", x.value, *affine, mean, var, epsilon=op.eps.real)


def _given(args: Args, index: int, place: Place) -> ir.Value | None:
    """A parameter in the dtype of the result, the only one that ONNX takes."""
    found = optional(args, index)
    return found and place.read(found, place.outputs[0].dtype)


def _whole(fill: float, width: Num, dtype: str, place: Place) -> ir.Value:
    """A parameter [width] that is one number everywhere."""
    size = place.size(width)
    if not isinstance(size, int):
        return place.one("Expand", place.scalar(fill, dtype), place.shape([width]))
    return place.tape.constant(np.full(size, fill, place.dtype(dtype).numpy()))
