"""Pooling and resampling."""

from __future__ import annotations

from archspec.backends.torch.code import Code, Emission
from archspec.backends.torch.ops.rules import RULES, Args, grid, operand, type_of
from archspec.backends.torch.ops.write import call, numbers, per_axis
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.ops.spatial import Pool, Resample

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@RULES.rule(Pool)
def pool(op: Pool, args: Args, place: Emission) -> Code:
    """Raises `UnsupportedError` (B002) for padding that torch refuses."""
    for kernel, padding in zip(op.kernel, op.padding, strict=True):
        if 2 * int(padding) > int(kernel):
            window = f"a pooling window of {kernel.described()} by {padding.described()}"
            raise UnsupportedError(Diagnostic("B002", f"torch does not pad {window}: at most by half"))
    number = numbers(place)
    kernel, stride = per_axis(number, op.kernel), per_axis(number, op.stride)
    stride = None if stride == kernel else stride
    function = f"F.{'max' if op.fn == 'max' else 'avg'}_pool{grid(type_of(place))}d"
    padding = per_axis(number, op.padding, 0)
    return call(place, function, operand(args), kernel, stride=stride, padding=padding)


@RULES.rule(Resample)
def resample(op: Resample, args: Args, place: Emission) -> Code:
    axes = grid(type_of(place))
    mode = "nearest" if op.mode == "nearest" else _LINEAR[axes]
    factor = numbers(place)(op.scale)
    return call(place, "F.interpolate", operand(args), scale_factor=factor, mode=f'"{mode}"')
