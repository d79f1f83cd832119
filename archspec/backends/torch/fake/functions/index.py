"""Picking elements and putting them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.functions.views import expand, narrow, select, unsqueeze
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import FUNCTIONS, Tensor, function, made, needs_grad, remember, view
from archspec.errors import Diagnostic, UnsupportedError


@function("getitem")
def getitem(x: Tensor, key: Any) -> Tensor:
    """Slices, integers, None and ... are views; tensors among them pick elements."""
    keys = list(key) if isinstance(key, tuple) else [key]
    used = sum(1 for k in keys if k is not None and k is not Ellipsis)
    if Ellipsis in [k for k in keys if not isinstance(k, Tensor)]:
        at = next(i for i, k in enumerate(keys) if k is Ellipsis)
        keys[at : at + 1] = [slice(None)] * (x.dim() - used)
    axis, picks = 0, dict[int, Tensor]()
    for item in keys:
        if item is None:
            x, axis = unsqueeze(x, axis), axis + 1
        elif isinstance(item, Tensor):
            picks[axis], axis = item, axis + 1
        elif isinstance(item, slice):
            x, axis = _sliced(x, axis, item), axis + 1
        else:
            x = select(x, axis, int(item))
    return _picked(x, picks) if picks else x


def _sliced(x: Tensor, axis: int, part: slice) -> Tensor:
    start, stop, step = part.indices(x.shape[axis])
    size = max(0, -(-(stop - start) // step))
    if size == x.shape[axis] and step == 1:
        return x
    strides = (*x.strides[:axis], x.strides[axis] * step, *x.strides[axis + 1 :])
    return view("slice", x, (*x.shape[:axis], size, *x.shape[axis + 1 :]), strides)


def _picked(x: Tensor, picks: dict[int, Tensor]) -> Tensor:
    """`aten.index`: picked axes side by side stay where they are, others come first."""
    places = layout.broadcast(*(pick.shape for pick in picks.values()))
    axes = sorted(picks)
    together = axes == list(range(axes[0], axes[-1] + 1))
    rest = [size for i, size in enumerate(x.shape) if i not in picks]
    at = axes[0] if together else 0
    shape = (*rest[:at], *places, *rest[at:])
    return made("index", (x,), shape, x.dtype, saves=[("index", pick) for pick in picks.values()])


@function("setitem")
def setitem(x: Tensor, key: Any, value: Any) -> None:
    """Written in place."""
    if needs_grad(value):
        remember(x, "copy_", (x, value), ())


@function("gather", "take_along_dim")
def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    return made("gather", (x, index), index.shape, x.dtype, saves=[("self", x), ("index", index)])


@function("scatter", "scatter_add")
def scatter(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    out = made("scatter", (x, index, src), x.shape, x.dtype, saves=[("index", index)])
    out.filled = index.numel() if x.filled == 0 else None
    return out


@function("index_add_")
def index_add_(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    if needs_grad(source, x):
        remember(x, "index_add_", (x, source), [("index", index), ("source", source)])
    return x


@function("index_select")
def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    shape = list(x.shape)
    shape[dim] = index.numel()
    return made("index_select", (x, index), shape, x.dtype, saves=[("index", index)])


@function("nonzero")
def nonzero(x: Tensor) -> Tensor:
    """How many there are only data says, but for what is known to be filled."""
    count = x.numel() if x.dtype == dtypes.bool_ and x.filled is None and x.dim() == 1 else x.filled
    if count is None:
        message = f"{current().place or 'the model'}: how many elements are not 0 is known only from data"
        raise UnsupportedError(Diagnostic("A010", message))
    out = made("nonzero", (x,), (count, x.dim()), dtypes.int64, differentiable=False)
    out.filled = -1 if x.filled is None else None
    return out


@function("embedding")
def embedding(index: Tensor, weight: Tensor, **_: Any) -> Tensor:
    return made(
        "embedding",
        (weight, index),
        (*index.shape, *weight.shape[1:]),
        weight.dtype,
        saves=[("indices", index)],
    )


@function("cat", "concat")
def cat(parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    axis = dim % parts[0].dim()
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    dtype = dtypes.mixed(parts, current().default)
    return made("cat", tuple(parts), shape, dtype)


@function("stack")
def stack(parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    shape = list(parts[0].shape)
    shape.insert(dim % (parts[0].dim() + 1), len(parts))
    return made("stack", tuple(parts), shape, parts[0].dtype)


@function("roll", "flip")
def roll(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return made(
        "roll", (x,), x.shape, x.dtype, strides=x.strides if layout.is_dense(x.shape, x.strides) else None
    )


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
        return FUNCTIONS["clone"](x)
    return made("constant_pad_nd", (x,), shape, x.dtype)


@function("repeat")
def repeat(x: Tensor, *times: int) -> Tensor:
    lead = len(times) - x.dim()
    sizes = (*[1] * lead, *x.shape)
    return made("repeat", (x,), [n * t for n, t in zip(sizes, times, strict=True)], x.dtype)


def elements(shape: Sequence[int]) -> int:
    return math.prod(shape)
