"""Picking elements and putting them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.functions.copies import detach
from archspec.backends.torch.fake.functions.pointwise import written
from archspec.backends.torch.fake.functions.views import cut, select, unbind, unsqueeze
from archspec.backends.torch.fake.make import made, needs_grad, remember, view
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import PLACES, Tensor
from archspec.errors import Diagnostic, UnsupportedError


@function("getitem")
def getitem(x: Tensor, key: Any) -> Tensor:
    """Slices, integers, None and ... are views; tensors among them pick elements."""
    x, picks = _viewed(x, _key(key))
    return _picked(x, picks) if picks else x


def _key(key: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", key) if isinstance(key, tuple) else (key,)


def _viewed(x: Tensor, key: tuple[Any, ...]) -> tuple[Tensor, dict[int, Tensor]]:
    """The view of a key, and the axes of it where tensors pick."""
    axis, picks = 0, dict[int, Tensor]()
    for item in _spelt_out(x, key):
        if item is None:
            x, axis = unsqueeze(x, axis), axis + 1
        elif isinstance(item, Tensor):
            picks[axis], axis = _places(item), axis + 1
        elif isinstance(item, slice):
            x, axis = _sliced(x, axis, cast("slice", item)), axis + 1
        else:
            x = select(x, axis, int(cast("int", item)))
    return x, picks


def _spelt_out(x: Tensor, key: tuple[Any, ...]) -> list[Any]:
    """The key with slices where it says `...`."""
    keys = list(key)
    used = sum(1 for k in keys if k is not None and k is not Ellipsis)
    dots = [i for i, k in enumerate(keys) if k is Ellipsis]
    if dots:
        keys[dots[0] : dots[0] + 1] = [slice(None)] * (x.dim() - used)
    return keys


def _places(pick: Tensor) -> Tensor:
    """A mask picks where it is true."""
    return nonzero(pick, as_tuple=True)[0] if pick.dtype == dtypes.bool_ else pick


def _sliced(x: Tensor, axis: int, part: slice) -> Tensor:
    start, stop, step = part.indices(x.shape[axis])
    size = max(0, -(-(stop - start) // step))
    if size == x.shape[axis] and step == 1:
        return x
    return view("slice", x, *cut(x, axis, size, step))


def _picked(x: Tensor, picks: dict[int, Tensor]) -> Tensor:
    """`aten.index`: picked axes side by side stay where they are, others come first."""
    places = layout.broadcast(*(pick.shape for pick in picks.values()))
    axes = sorted(picks)
    together = axes == list(range(axes[0], axes[-1] + 1))
    rest = [size for i, size in enumerate(x.shape) if i not in picks]
    at = axes[0] if together else 0
    shape = (*rest[:at], *places, *rest[at:])
    steps = [stride for i, stride in enumerate(x.strides) if i not in picks]
    lies = (shape, (*steps[:at], *[0] * len(places), *steps[at:]))
    index = ((*places, *[1] * (len(rest) - at)), (*layout.contiguous(places), *[0] * (len(rest) - at)))
    saves = [("index", pick) for pick in picks.values()]
    strides = layout.elementwise(shape, (lies, index))
    return made("index", (x,), shape, x.dtype, strides=strides, saves=saves, read=_bytes(shape, x))


def _bytes(shape: Sequence[int], x: Tensor) -> int:
    """What is read of a table."""
    return layout.count(tuple(shape)) * x.dtype.itemsize


@function("setitem")
def setitem(x: Tensor, key: Any, value: Any) -> None:
    """Written in place."""
    target, picks = _viewed(detach(x), _key(key))
    name, places = "index_put_" if picks else "copy_", list(picks.values())
    written(name, value if picks and isinstance(value, Tensor) else target, (value, *places))
    if needs_grad(value, x):
        operands = [t for t in (x, value) if isinstance(t, Tensor)]
        remember(x, name, operands, [("index", place) for place in places])


@function("index_put_")
def index_put_(x: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    return written("index_put_", x, (values, *indices))


@function("gather")
def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    saves, read = [("self", x), ("index", index)], _bytes(index.shape, x) + index.touched
    return made("gather", (x, index), index.shape, x.dtype, saves=saves, read=read)


@function("scatter", "scatter_add")
def scatter(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    out = made("scatter", (x, index, src), x.shape, x.dtype, saves=[("index", index)])
    out.filled = index.numel() if x.filled == 0 else None
    return out


@function("index_add_")
def index_add_(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    written("index_add_", source, (source, source, index))
    if needs_grad(source, x):
        remember(x, "index_add_", (x, source), [("index", index), ("source", source)])
    return x


@function("index_select")
def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    shape = list(x.shape)
    shape[dim] = index.numel()
    read = _bytes(shape, x) + index.touched
    return made("index_select", (x, index), shape, x.dtype, saves=[("index", index)], read=read)


@function("nonzero")
def nonzero(x: Tensor, as_tuple: bool = False) -> Any:
    """How many there are only data says, but for what is known to be filled; a mask is taken as all true."""
    shape = (_filled(x), x.dim())
    out = made("nonzero", (x,), shape, dtypes.int64, differentiable=False)
    out.filled = PLACES if x.filled is None else None
    return unbind(out, 1) if as_tuple else out


def _filled(x: Tensor) -> int:
    if x.filled is not None:
        return x.filled
    if x.dtype != dtypes.bool_:
        message = f"{current().place or 'the model'}: how many elements are not 0 is known only from data"
        raise UnsupportedError(Diagnostic("A010", message))
    current().assumed = True
    return x.numel()


@function("embedding")
def embedding(index: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    shape, saves = (*index.shape, *weight.shape[1:]), [("indices", index)]
    read = _bytes(shape, weight) + index.touched
    return made("embedding", (weight, index), shape, weight.dtype, saves=saves, read=read)
