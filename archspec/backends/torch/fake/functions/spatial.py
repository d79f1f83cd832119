"""Pooling and resampling on grids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.tensor import Tensor, function, made


def _each(value: Any, x: Tensor) -> Sequence[int]:
    return value if isinstance(value, (tuple, list)) else (value,) * (x.dim() - 2)


def _pooled(x: Tensor, kernel: Any, stride: Any, padding: Any) -> tuple[int, ...]:
    given = (_each(n, x) for n in (kernel, kernel if stride is None else stride, padding))
    sizes = ((n + 2 * p - k) // s + 1 for n, k, s, p in zip(x.shape[2:], *given, strict=True))
    return (*x.shape[:2], *sizes)


@function("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(x: Tensor, kernel: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    shape = _pooled(x, kernel, stride, padding)
    where = made("max_pool indices", (x,), shape, dtypes.int64, differentiable=False)
    return made("max_pool", (x,), shape, x.dtype, saves=[("self", x), ("indices", where)])


@function("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(x: Tensor, kernel: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    return made("avg_pool", (x,), _pooled(x, kernel, stride, padding), x.dtype, saves=[("self", x)])


@function("interpolate")
def interpolate(x: Tensor, scale_factor: float = 1.0, mode: str = "nearest", **_: Any) -> Tensor:
    shape = (*x.shape[:2], *(int(size * scale_factor) for size in x.shape[2:]))
    return made(
        "upsample",
        (x,),
        shape,
        x.dtype,
        strides=layout.elementwise(shape, [(shape, layout.contiguous(shape))]),
    )
