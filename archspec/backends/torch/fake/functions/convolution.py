"""Convolutions: FLOPs are 2 per multiply-add, additions of biases not counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.functions.training import autocast
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.tensor import Tensor


@function("conv1d", "conv2d", "conv3d")
def conv(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    x, weight, bias = autocast(x, weight, bias)
    given = (layout.each(n, x.dim() - 2) for n in (stride, padding, dilation))
    steps = zip(x.shape[2:], weight.shape[2:], *given, strict=True)
    sizes = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in steps]
    shape = (x.shape[0], weight.shape[0], *sizes)
    flops = 2 * math.prod(shape) * math.prod(weight.shape[1:])
    return _convolved(x, weight, bias, shape, flops)


@function("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    x, weight, bias = autocast(x, weight, bias)
    given = (layout.each(n, x.dim() - 2) for n in (stride, padding, output_padding, dilation))
    steps = zip(x.shape[2:], weight.shape[2:], *given, strict=True)
    sizes = [(n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, k, s, p, o, d in steps]
    shape = (x.shape[0], weight.shape[1] * groups, *sizes)
    return _convolved(x, weight, bias, shape, 2 * math.prod(x.shape) * math.prod(weight.shape[1:]))


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, shape: Sequence[int], flops: int) -> Tensor:
    saves = [("input", x), ("weight", weight)]
    backward = flops * (x.requires_grad + weight.requires_grad)
    operands = (x, weight) if bias is None else (x, weight, bias)
    last = x.dim() > 3 and any(layout.is_channels_last(t.shape, t.strides) for t in (x, weight))
    strides = layout.channels_last(tuple(shape)) if last else None
    return made(
        "convolution", operands, shape, x.dtype, strides=strides, saves=saves, flops=flops, backward=backward
    )
