"""Folding axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.functions.copies import cast, kept_strides
from archspec.backends.torch.fake.functions.views import reshape, whole
from archspec.backends.torch.fake.make import axes_of, made
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor


class Found(NamedTuple):
    """Values and where they stand."""

    values: Tensor
    indices: Tensor


def folded(x: Tensor, axes: frozenset[int], keep: bool) -> tuple[int, ...]:
    """The shape of a reduction over `axes`."""
    if keep:
        return tuple(1 if i in axes else size for i, size in enumerate(x.shape))
    return tuple(size for i, size in enumerate(x.shape) if i not in axes)


def reduced(
    name: str,
    x: Tensor,
    axes: Any,
    keep: bool,
    saves: Sequence[tuple[str, Tensor | None]] = (),
    **options: Any,
) -> Tensor:
    gone = frozenset(axes_of(x, axes))
    dtype: DType = options.pop("dtype", None) or x.dtype
    return made(name, (x,), folded(x, gone, keep), dtype, saves=saves, detail=gone, **options)


@function("mean")
def mean(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: DType | None = None) -> Tensor:
    return reduced("mean", x, dim, keepdim, dtype=dtype)


@function("sum")
def sum_(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: DType | None = None) -> Tensor:
    wanted = dtype or (x.dtype if x.is_floating_point() else dtypes.int64)
    return reduced("sum", x, dim, keepdim, dtype=wanted)


@function("sum_to_size")
def sum_to_size(x: Tensor, *sizes: Any) -> Tensor:
    """The tensor itself where it has the size. Source: `sum_to` in ExpandUtils.h."""
    shape = whole(sizes)
    lead = x.dim() - len(shape)
    axes = [i for i in range(x.dim()) if i < lead or x.shape[i] != shape[i - lead]]
    return reshape(sum_(x, axes, True), shape) if axes else x


@function("amax", "amin", "prod", "norm")
def amax(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: DType | None = None) -> Tensor:
    return reduced("amax", x, dim, keepdim, [("self", x), ("result", None)], dtype=dtype)


@function("var")
def var(x: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    return reduced("var", x, dim, keepdim, [("self", x)])


@function("std")
def std(x: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    return reduced("std", x, dim, keepdim, [("self", x), ("result", None)])


@function("max", "min")
def max_(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None:
        return reduced("max", x, None, False, [("self", x), ("result", None)])
    where = reduced("max indices", x, dim, keepdim, dtype=dtypes.int64, differentiable=False)
    return Found(reduced("max", x, dim, keepdim, [("indices", where)]), where)


@function("argmax", "argmin")
def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return reduced("argmax", x, dim, keepdim, dtype=dtypes.int64, differentiable=False)


@function("any", "all")
def any_(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return reduced("any", x, dim, keepdim, dtype=dtypes.bool_, differentiable=False)


@function("topk")
def topk(x: Tensor, k: int, dim: int = -1) -> Found:
    shape = list(x.shape)
    shape[dim] = k
    where = made("topk indices", (x,), shape, dtypes.int64, differentiable=False)
    return Found(made("topk", (x,), shape, x.dtype, saves=[("indices", where)]), where)


@function("argsort")
def argsort(x: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    values = made("sort values", (x,), x.shape, x.dtype, differentiable=False)
    places = made("argsort", (x,), x.shape, dtypes.int64, strides=kept_strides(x), differentiable=False)
    del values  # which it makes too
    return places


@function("cumsum")
def cumsum(x: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    return made("cumsum", (x,), x.shape, dtype or (x.dtype if x.is_floating_point() else dtypes.int64))


@function("cumprod")
def cumprod(x: Tensor, dim: int) -> Tensor:
    return made("cumprod", (x,), x.shape, x.dtype, saves=[("self", x), ("result", None)])


@function("cummax", "cummin")
def cummax(x: Tensor, dim: int) -> Found:
    where = made("cummax indices", (x,), x.shape, dtypes.int64, differentiable=False)
    return Found(made("cummax", (x,), x.shape, x.dtype, saves=[("self", x), ("indices", where)]), where)


@function("logsumexp")
def logsumexp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    return reduced("logsumexp", x, dim, keepdim, [("self", x), ("result", None)])


@function("softmax", "log_softmax")
def softmax(x: Tensor, dim: int = -1, dtype: DType | None = None) -> Tensor:
    run = current()
    if run.autocast is not None and run.device == "cuda" and dtype is None:
        dtype = dtypes.float32
    if dtype is not None and not (run.device == "cuda" and x.dtype.itemsize == 2 and dtype == dtypes.float32):
        x = cast(x, dtype)
    return made("_softmax", (x,), x.shape, dtype or x.dtype, saves=[("result", None)])
