"""Putting tensors together, and moving or repeating what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.functions.copies import clone, kept_strides
from archspec.backends.torch.fake.functions.views import expand, narrow, unsqueeze
from archspec.backends.torch.fake.make import made, view
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor


@function("cat", "concat")
def cat(parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    axis = dim % parts[0].dim()
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    dtype = dtypes.mixed(parts, current().default)
    return made("cat", tuple(parts), shape, dtype, detail=axis)


@function("stack")
def stack(parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    shape = list(parts[0].shape)
    axis = dim % (parts[0].dim() + 1)
    shape.insert(axis, len(parts))
    return made("stack", tuple(parts), shape, parts[0].dtype, detail=axis)


@function("roll")
def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    return made("roll", (x,), x.shape, x.dtype)


@function("flip")
def flip(x: Tensor, *dims: Any) -> Tensor:
    return made("flip", (x,), x.shape, x.dtype, strides=kept_strides(x))


@function("tril", "triu")
def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    return made("tril", (x,), x.shape, x.dtype)


@function("repeat_interleave")
def repeat_interleave(x: Tensor, repeats: int, dim: int = 0) -> Tensor:
    axis = dim % x.dim()
    wide = expand(unsqueeze(x, axis + 1), (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :]))
    copy = made("clone", (wide,), wide.shape, x.dtype)
    shape = (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :])
    return view("view", copy, shape, layout.contiguous(shape))


@function("pad")
def pad(x: Tensor, sides: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    shape = list(x.shape)
    for i in range(len(sides) // 2):
        shape[-1 - i] += sides[2 * i] + sides[2 * i + 1]
    if all(side <= 0 for side in sides):
        for i in range(len(sides) // 2):
            x = narrow(x, x.dim() - 1 - i, 0, shape[-1 - i])
        return clone(x)
    return made("constant_pad_nd", (x,), shape, x.dtype)


@function("repeat")
def repeat(x: Tensor, *times: int) -> Tensor:
    lead = len(times) - x.dim()
    sizes = (*[1] * lead, *x.shape)
    return made("repeat", (x,), [n * t for n, t in zip(sizes, times, strict=True)], x.dtype)
