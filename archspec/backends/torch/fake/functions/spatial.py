"""Pooling and resampling on grids."""

from __future__ import annotations

from typing import Any

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.tensor import Tensor


def _pooled(x: Tensor, kernel: Any, stride: Any, padding: Any) -> tuple[int, ...]:
    given = (layout.each(n, x.dim() - 2) for n in (kernel, kernel if stride is None else stride, padding))
    sizes = ((n + 2 * p - k) // s + 1 for n, k, s, p in zip(x.shape[2:], *given, strict=True))
    return (*x.shape[:2], *sizes)


def _kept(x: Tensor, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Channels that lie side by side do so in the result."""
    return layout.channels_last(shape) if layout.is_channels_last(x.shape, x.strides) else None


@function("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(x: Tensor, kernel: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    shape = _pooled(x, kernel, stride, padding)
    strides = _kept(x, shape)
    where = made("max_pool indices", (x,), shape, dtypes.int64, strides=strides, differentiable=False)
    return made("max_pool", (x,), shape, x.dtype, strides=strides, saves=[("self", x), ("indices", where)])


@function("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(x: Tensor, kernel: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    shape = _pooled(x, kernel, stride, padding)
    return made("avg_pool", (x,), shape, x.dtype, strides=_kept(x, shape), saves=[("self", x)])


@function("interpolate")
def interpolate(x: Tensor, scale_factor: float = 1.0, mode: str = "nearest") -> Tensor:
    shape = (*x.shape[:2], *(int(size * scale_factor) for size in x.shape[2:]))
    return made("upsample", (x,), shape, x.dtype, strides=_kept(x, shape))
