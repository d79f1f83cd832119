"""Backward passes of stretches, noted once and done again where they are alike.

A stretch's part of a backward pass is one piece: nodes run from the latest to the earliest, so nothing from
outside comes between. What it does depends on the gradients that are there when it begins, how they lie and
which share a storage, and on which storages nobody else holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import ref

from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.layout import Ints
from archspec.backends.torch.fake.node import Node, Operand
from archspec.backends.torch.fake.run import Kernel, Run
from archspec.backends.torch.fake.storage import Storage
from archspec.backends.torch.fake.stretch import Stretch, moved, rooted
from archspec.backends.torch.fake.tensor import Tensor


class UnlikeError(Exception):
    """A stretch did not do what it did before: something else holds on to what it keeps."""


class Left(NamedTuple):
    """A gradient that a stretch leaves behind: how it lies, in which storage, of how many bytes."""

    shape: Ints
    strides: Ints
    dtype: DType
    storage: int
    nbytes: int


class Back(NamedTuple):
    """What a backward pass did: `peak` bytes on top at most, `live` at its end, what it `left` where."""

    peak: int
    peak_by: tuple[str, str]
    live: int
    kernels: tuple[Kernel, ...]
    left: tuple[Left | None, ...]


def lying(grads: Sequence[Tensor | None], held: Counter[int], kept: set[int]) -> tuple[Any, ...]:
    """How gradients lie, which share a storage, and whether others hold it; `held`: by how many gradients."""
    mine = Counter(id(g.storage) for g in grads if g is not None)
    labels = dict[int, int]()
    return tuple([
        g if g is None else (
            g.shape, g.strides, g.dtype, labels.setdefault(id(g.storage), len(labels)),
            held[id(g.storage)] > mine[id(g.storage)] or id(g.storage) in kept,
        )
        for g in grads
    ])  # fmt: skip


def distinct(grads: Sequence[Tensor | None]) -> list[Storage]:
    """Their storages, each once."""
    return list({id(g.storage): g.storage for g in grads if g is not None}.values())


class Opened:
    """The backward pass of a stretch that runs for the first time: its nodes come after `floor`."""

    def __init__(self, run: Run, node: Node, key: Any, grads: Sequence[Tensor | None]) -> None:
        assert node.inside is not None
        self.stretch: Stretch = node.inside
        self.key, self.place, self.operands = key, node.place, list[Operand](node.operands)
        self.floor = node.order - self.stretch.nodes
        self._storages = [ref(storage) for storage in distinct(grads)]
        self._live, self._kernels = run.live, len(run.kernels)
        self._outer = run.peak, run.peak_by
        run.peak, run.peak_by = run.live, (node.place, "")

    def close(self, run: Run, grads: Sequence[Tensor | None]) -> None:
        """It is over; `grads` are those that wait where it ended."""
        label = {id(found): i for i, known in enumerate(self._storages) if (found := known()) is not None}
        self.stretch.back[self.key] = Back(
            run.peak - self._live,
            (run.peak_by[0][len(self.place) :], run.peak_by[1]),
            run.live - self._live,
            tuple(moved("", run.kernels[self._kernels :], len(self.place))),
            tuple([_left(g, label, len(self._storages)) for g in grads]),
        )
        if self._outer[0] >= run.peak:
            run.peak, run.peak_by = self._outer


def _left(grad: Tensor | None, label: dict[int, int], known: int) -> Left | None:
    if grad is None:
        return None
    number = label.setdefault(id(grad.storage), known + len(label))
    return Left(grad.shape, grad.strides, grad.dtype, number, grad.storage.nbytes)


def again(run: Run, back: Back, grads: Sequence[Tensor | None], place: str) -> list[Tensor | None]:
    """What a backward pass leaves that is alike; its peak and kernels are noted on `run`."""
    start, peak = run.live, (run.peak, run.peak_by)
    storages = dict(enumerate(distinct(grads)))
    left = [_made(run, one, storages) for one in back.left]
    top = start + back.peak
    run.peak, run.peak_by = (top, rooted(place, back.peak_by)) if top > peak[0] else peak
    run.kernels += moved(place, back.kernels)
    return left


def _made(run: Run, one: Left | None, storages: dict[int, Storage]) -> Tensor | None:
    if one is None:
        return None
    if one.storage not in storages:
        storages[one.storage] = Storage(one.nbytes, "activation", run, "gradient")
    return Tensor(one.shape, one.strides, one.dtype, storages[one.storage])
