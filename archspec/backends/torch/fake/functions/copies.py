"""Copies: of other dtypes, and of tensors that do not lie row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.dtypes import DTYPES, DType
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.tensor import Tensor


@function("detach")
def detach(x: Tensor) -> Tensor:
    out = Tensor(x.shape, x.strides, x.dtype, x.storage)
    out.filled = x.filled
    return out


@function("clone")
def clone(x: Tensor) -> Tensor:
    return made("clone", (x,), x.shape, x.dtype, strides=kept_strides(x))


@function("contiguous")
def contiguous(x: Tensor) -> Tensor:
    return x if x.is_contiguous() else made("clone", (x,), x.shape, x.dtype)


@function("to")
def to(x: Tensor, *given: Any, dtype: DType | None = None, device: object = None) -> Tensor:
    for wanted in given:
        dtype = wanted if isinstance(wanted, DType) else wanted.dtype if isinstance(wanted, Tensor) else dtype
    return cast(x, dtype or x.dtype)


def cast(x: Tensor, dtype: DType) -> Tensor:
    """The tensor itself where it has the dtype."""
    if x.dtype == dtype:
        return x
    out = made("_to_copy", (x,), x.shape, dtype, strides=kept_strides(x))
    out.filled = x.filled
    return out


def kept_strides(x: Tensor) -> tuple[int, ...]:
    """The strides of a copy that keeps the memory format."""
    if layout.is_dense(x.shape, x.strides):
        return x.strides
    return layout.elementwise(x.shape, ((x.shape, x.strides),))


def _cast_to(dtype: DType) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        return cast(x, dtype)

    return apply


for _name, _dtype in {
    "float": "float32", "long": "int64", "int": "int32", "bool": "bool", "double": "float64",
    "half": "float16", "bfloat16": "bfloat16",
}.items():  # fmt: skip
    function(_name)(_cast_to(DTYPES[_dtype]))
