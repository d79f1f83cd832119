"""The same elements under another shape, and copies where that takes one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.make import made, remember, view
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor


def whole(given: Sequence[Any]) -> tuple[int, ...]:
    """Sizes, given one by one or as one sequence."""
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = cast("Sequence[Any]", given[0])
    return tuple(map(int, given))


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
    return view("permute", x, [x.shape[a] for a in order], tuple([x.strides[a] for a in order]), order)


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


def cut(x: Tensor, axis: int, size: int, step: int = 1) -> tuple[Sequence[int], tuple[int, ...]]:
    """The shape and strides of `size` places on an axis."""
    strides = (*x.strides[:axis], x.strides[axis] * step, *x.strides[axis + 1 :])
    return (*x.shape[:axis], size, *x.shape[axis + 1 :]), strides


@function("broadcast_tensors")
def broadcast_tensors(*tensors: Tensor) -> list[Tensor]:
    shape = layout.broadcast(*(x.shape for x in tensors))
    return [expand(x, shape) for x in tensors]


@function("narrow")
def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    return view("slice", x, *cut(x, dim % x.dim(), length))


@function("select")
def select(x: Tensor, dim: int, index: int) -> Tensor:
    axis = dim % x.dim()
    out = view("select", x, *_without(x, axis))
    out.filled = _share(x, axis, index)
    return out


def _without(x: Tensor, axis: int) -> tuple[Sequence[int], tuple[int, ...]]:
    return (*x.shape[:axis], *x.shape[axis + 1 :]), (*x.strides[:axis], *x.strides[axis + 1 :])


def _share(x: Tensor, axis: int, index: int) -> int | None:
    """What is filled is taken as spread evenly over the axis."""
    if x.filled is None or x.filled < 0:
        return None
    current().assumed = True
    share, more = divmod(x.filled, x.shape[axis])
    return share + (index % x.shape[axis] < more)


@function("split")
def split(x: Tensor, sizes: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    axis = dim % x.dim()
    total = x.shape[axis]
    if isinstance(sizes, int):
        step = sizes
        sizes = [min(step, total - start) for start in range(0, total, step)]
    return _pieces("split", x, axis, [cut(x, axis, size) for size in sizes])


@function("chunk")
def chunk(x: Tensor, count: int, dim: int = 0) -> tuple[Tensor, ...]:
    return split(x, -(-x.shape[dim] // count), dim)


@function("unbind")
def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    axis = dim % x.dim()
    if x.filled is not None:
        return tuple(select(x, axis, i) for i in range(x.shape[axis]))
    return _pieces("unbind", x, axis, [_without(x, axis)] * x.shape[axis])


def _pieces(
    name: str, x: Tensor, axis: int, layouts: Sequence[tuple[Sequence[int], tuple[int, ...]]]
) -> tuple[Tensor, ...]:
    """Views of one operation. Without gradients those that lie alike are one: nothing tells them apart."""
    if not (x.requires_grad and current().grad):
        alike = {kind: Tensor(*kind, x.dtype, x.storage) for kind in set(layouts)}
        return tuple(alike[kind] for kind in layouts)
    pieces = tuple(Tensor(*kind, x.dtype, x.storage) for kind in layouts)
    node = remember(pieces[0], name, (x,), (), 0, (axis, [kind[0] for kind in layouts]))
    for slot, piece in enumerate(pieces):
        piece.node, piece.slot, piece.requires_grad = node, slot, True
    return pieces


@function("unfold")
def unfold(x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    axis = dimension % x.dim()
    count = (x.shape[axis] - size) // step + 1
    shape, strides = cut(x, axis, count, step)
    return view("unfold", x, (*shape, size), (*strides, x.strides[axis]))


@function("diagonal")
def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """`offset` moves the start, which no shape shows, and shortens the diagonal."""
    a, b = dim1 % x.dim(), dim2 % x.dim()
    size = max(0, min(x.shape[a] + min(offset, 0), x.shape[b] - max(offset, 0)))
    rest = [i for i in range(x.dim()) if i not in (a, b)]
    shape, strides = [x.shape[i] for i in rest], [x.strides[i] for i in rest]
    return view("diagonal", x, (*shape, size), (*strides, x.strides[a] + x.strides[b]))
