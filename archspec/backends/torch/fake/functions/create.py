"""Tensors from nothing."""

from __future__ import annotations

from typing import Any

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.functions.copies import kept_strides
from archspec.backends.torch.fake.functions.views import whole
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor


def _new(name: str, sizes: tuple[Any, ...], dtype: DType | None) -> Tensor:
    out = made(name, (), whole(sizes), dtype or current().default)
    out.filled = 0 if name == "zeros" else None
    return out


@function("zeros")
def zeros(*sizes: Any, dtype: DType | None = None, device: object = None) -> Tensor:
    return _new("zeros", sizes, dtype)


@function("ones")
def ones(*sizes: Any, dtype: DType | None = None, device: object = None) -> Tensor:
    return _new("ones", sizes, dtype)


@function("empty")
def empty(*sizes: Any, dtype: DType | None = None, device: object = None) -> Tensor:
    return _new("empty", sizes, dtype)


@function("randn", "rand")
def randn(*sizes: Any, dtype: DType | None = None, device: object = None) -> Tensor:
    return _new("randn", sizes, dtype)


@function("randint")
def randint(high: int, size: Any, device: object = None) -> Tensor:
    return _new("randint", (size,), dtypes.int64)


@function("full")
def full(shape: Any, value: Any, dtype: DType | None = None, device: object = None) -> Tensor:
    return _new("full", (shape,), dtype or dtypes.of_number(value, current().default))


@function("new_zeros")
def new_zeros(x: Tensor, *sizes: Any, dtype: DType | None = None) -> Tensor:
    return _new("zeros", sizes, dtype or x.dtype)


@function("new_empty")
def new_empty(x: Tensor, *sizes: Any, dtype: DType | None = None) -> Tensor:
    return _new("empty", sizes, dtype or x.dtype)


@function("new_ones")
def new_ones(x: Tensor, *sizes: Any, dtype: DType | None = None) -> Tensor:
    return _new("ones", sizes, dtype or x.dtype)


@function("zeros_like", "empty_like", "ones_like")
def like(x: Tensor, dtype: DType | None = None) -> Tensor:
    return made("empty_like", (), x.shape, dtype or x.dtype, strides=kept_strides(x))


@function("arange")
def arange(*ends: Any, dtype: DType | None = None, device: object = None) -> Tensor:
    start, stop, step = (0, ends[0], 1) if len(ends) == 1 else (*ends, 1)[:3]
    whole_numbers = all(isinstance(end, int) for end in (start, stop, step))
    count = max(0, -int(-(stop - start) // step))
    return made("arange", (), (count,), dtype or (dtypes.int64 if whole_numbers else current().default))


@function("scalar_tensor", "tensor")
def tensor(value: Any, dtype: DType | None = None, device: object = None) -> Tensor:
    return made("scalar_tensor", (), (), dtype or dtypes.of_number(value, current().default))


@function("eye")
def eye(rows: int, columns: int | None = None, dtype: DType | None = None, device: object = None) -> Tensor:
    return _new("eye", (rows, columns or rows), dtype)
