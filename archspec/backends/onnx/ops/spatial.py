"""Pooling and resampling."""

from __future__ import annotations

import onnx_ir as ir

from archspec.backends.onnx.place import RULES, Args, Place, Result, operand
from archspec.ir.ops.spatial import Pool, Resample


@RULES.rule(Pool)
def _pool(op: Pool, args: Args, place: Place) -> Result:
    x = operand(args)
    kernel, stride, padding = (list(map(int, sizes)) for sizes in (op.kernel, op.stride, op.padding))
    value = x.value
    if any(side >= size for side, size in zip(padding, kernel, strict=True)):  # which ONNX's pools refuse
        value = _padded(value, padding, -float("inf") if op.fn == "max" else 0, x.type.dtype, place)
        padding = [0] * len(kernel)
    given = {"kernel_shape": kernel, "strides": stride, "pads": [*padding, *padding]}
    if op.fn == "max":
        return place.one("MaxPool", value, **given)
    return place.one("AveragePool", value, count_include_pad=1, **given)


def _padded(value: ir.Value, padding: list[int], fill: float, dtype: str, place: Place) -> ir.Value:
    sides = place.tape.integers(*padding, *padding)
    axes = place.tape.integers(*range(2, 2 + len(padding)))
    return place.one("Pad", value, sides, place.scalar(fill, dtype), axes)


@RULES.rule(Resample)
def _resample(op: Resample, args: Args, place: Place) -> Result:
    """Linear between centres of elements (torch's `align_corners=False`); nearest is the one on the left."""
    x = operand(args)
    scales = place.floats([1, 1, *[op.scale.real] * (x.type.rank - 2)])
    if op.mode == "linear":
        given = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    else:
        given = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return place.one("Resize", x.value, None, scales, **given)
