"""The same elements under another shape, and copies where that takes one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor, function, made, view


def whole(given: Sequence[Any]) -> tuple[int, ...]:
    """Sizes, given one by one or as one sequence."""
    sizes = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    return tuple(int(size) for size in sizes)


def filled_in(count: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with its -1 worked out."""
    if -1 not in shape:
        return shape
    others = -math.prod(shape)
    return tuple(count // others if size == -1 else size for size in shape)


@function("reshape", "view")
def reshape(x: Tensor, *sizes: Any) -> Tensor:
    shape = filled_in(x.numel(), whole(sizes))
    strides = layout.viewed(x.shape, x.strides, shape)
    if strides is not None:
        return view("view", x, shape, strides)
    copy = made("clone", (x,), x.shape, x.dtype)
    copy.filled = x.filled
    return view("view", copy, shape, layout.contiguous(shape))


@function("flatten")
def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    if not x.dim():
        return reshape(x, 1)
    first, last = start_dim % x.dim(), end_dim % x.dim()
    middle = math.prod(x.shape[first : last + 1])
    return x if first == last else reshape(x, (*x.shape[:first], middle, *x.shape[last + 1 :]))


@function("unflatten")
def unflatten(x: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    axis = dim % x.dim()
    inner = filled_in(x.shape[axis], tuple(sizes))
    return reshape(x, (*x.shape[:axis], *inner, *x.shape[axis + 1 :]))


@function("permute")
def permute(x: Tensor, *axes: Any) -> Tensor:
    order = [axis % x.dim() for axis in whole(axes)]
    return view("permute", x, [x.shape[a] for a in order], tuple(x.strides[a] for a in order))


@function("transpose", "swapaxes")
def transpose(x: Tensor, a: int, b: int) -> Tensor:
    order = list(range(x.dim()))
    order[a], order[b] = order[b], order[a]
    return permute(x, order)


@function("movedim")
def movedim(x: Tensor, source: int, destination: int) -> Tensor:
    order = list(range(x.dim()))
    order.insert(destination % x.dim(), order.pop(source % x.dim()))
    return permute(x, order)


@function("unsqueeze")
def unsqueeze(x: Tensor, axis: int) -> Tensor:
    axis %= x.dim() + 1
    step = x.shape[axis] * x.strides[axis] if axis < x.dim() else 1
    strides = (*x.strides[:axis], step, *x.strides[axis:])
    return view("unsqueeze", x, (*x.shape[:axis], 1, *x.shape[axis:]), strides)


@function("squeeze")
def squeeze(x: Tensor, axis: int | None = None) -> Tensor:
    gone = {axis % x.dim()} if axis is not None else set(range(x.dim()))
    kept = [i for i, size in enumerate(x.shape) if i not in gone or size != 1]
    return view("squeeze", x, [x.shape[i] for i in kept], tuple(x.strides[i] for i in kept))


@function("expand")
def expand(x: Tensor, *sizes: Any) -> Tensor:
    wanted = whole(sizes)
    lead = len(wanted) - x.dim()
    shape = [x.shape[i - lead] if size == -1 else size for i, size in enumerate(wanted)]
    kept = (s if n == shape[lead + i] else 0 for i, (n, s) in enumerate(zip(x.shape, x.strides, strict=True)))
    return view("expand", x, shape, (*_steps(shape, x, lead), *kept))


def _steps(shape: Sequence[int], x: Tensor, lead: int) -> list[int]:
    """The strides of axes that an expansion adds in front."""
    ahead = x.shape[0] * x.strides[0] if x.shape else 1
    return [ahead if shape[i] == 1 else 0 for i in range(lead)]


@function("narrow")
def narrow(x: Tensor, axis: int, start: int, length: int) -> Tensor:
    axis %= x.dim()
    return view("slice", x, (*x.shape[:axis], length, *x.shape[axis + 1 :]), x.strides)


@function("select")
def select(x: Tensor, axis: int, index: int) -> Tensor:
    axis %= x.dim()
    out = view(
        "select", x, (*x.shape[:axis], *x.shape[axis + 1 :]), (*x.strides[:axis], *x.strides[axis + 1 :])
    )
    if x.filled is not None and x.filled >= 0:  # taken as spread evenly over the axis
        current().assumed = True
        share, more = divmod(x.filled, x.shape[axis])
        out.filled = share + (index % x.shape[axis] < more)
    return out


@function("split")
def split(x: Tensor, sizes: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    total = x.shape[dim]
    if isinstance(sizes, int):
        step = sizes
        sizes = [min(step, total - start) for start in range(0, total, step)]
    return tuple(narrow(x, dim, 0, size) for size in sizes)


@function("chunk")
def chunk(x: Tensor, count: int, dim: int = 0) -> tuple[Tensor, ...]:
    return split(x, -(-x.shape[dim] // count), dim)


@function("unbind")
def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    return tuple(select(x, dim, i) for i in range(x.shape[dim]))


@function("unfold")
def unfold(x: Tensor, dim: int, size: int, step: int) -> Tensor:
    axis = dim % x.dim()
    count = (x.shape[axis] - size) // step + 1
    strides = (*x.strides[:axis], x.strides[axis] * step, *x.strides[axis + 1 :], x.strides[axis])
    return view("unfold", x, (*x.shape[:axis], count, *x.shape[axis + 1 :], size), strides)


@function("detach")
def detach(x: Tensor) -> Tensor:
    out = Tensor(x.shape, x.strides, x.dtype, x.storage)
    out.filled = x.filled
    return out


@function("clone")
def clone(x: Tensor, memory_format: object = None) -> Tensor:
    return made("clone", (x,), x.shape, x.dtype, strides=kept_strides(x))


@function("contiguous")
def contiguous(x: Tensor) -> Tensor:
    return x if x.is_contiguous() else made("clone", (x,), x.shape, x.dtype)


@function("to")
def to(x: Tensor, *args: Any, dtype: DType | None = None, **_: Any) -> Tensor:
    for given in args:
        dtype = given if isinstance(given, DType) else given.dtype if isinstance(given, Tensor) else dtype
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
    return (
        x.strides
        if layout.is_dense(x.shape, x.strides)
        else layout.elementwise(x.shape, [(x.shape, x.strides)])
    )


for _name, _dtype in {
    "float": "float32", "long": "int64", "int": "int32", "bool": "bool", "double": "float64",
    "half": "float16", "bfloat16": "bfloat16",
}.items():  # fmt: skip
    from archspec.backends.torch.fake.dtypes import DTYPES

    function(_name)(lambda x, to=DTYPES[_dtype]: cast(x, to))
