"""What a call did, noted once and done again for calls that are alike, without running their functions.

A call that is done again gives one node, which stands for all of the call's. Its backward pass is noted and
done again in the same way (`repeats.py`), and until that is known the node unfolds into what it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.layout import Ints
from archspec.backends.torch.fake.node import Kept, Node, Operand, operand
from archspec.backends.torch.fake.run import Kernel, Run
from archspec.backends.torch.fake.storage import Storage
from archspec.backends.torch.fake.tensor import Tensor
from archspec.backends.torch.fake.traced import Saved

Source: TypeAlias = tuple[str, int]  # ("arg" or "own", which) given to the call, ("in", which) made in it

WHOLE = "inside"  # why a stretch keeps what only it knows of


class Edge(NamedTuple):
    """An operand of an inner node: which node or leaf its gradient goes to, if to any."""

    shape: Ints
    strides: Ints
    dtype: DType
    source: Source | None
    slot: int


class Keeps(NamedTuple):
    """A tensor that an inner node keeps: why, its storage, how it is read, and whose it is."""

    reason: str
    source: Source
    shape: Ints
    dtype: DType
    place: str = ""
    operation: str = ""


class Inner(NamedTuple):
    """An inner node; its place and order are counted from those of the call."""

    name: str
    place: str
    order: int
    flops: int
    detail: Any
    inside: Stretch | None
    operands: tuple[Edge, ...]
    saved: tuple[Keeps, ...]


class Result(NamedTuple):
    """How the result of the call lies."""

    shape: Ints
    strides: Ints
    dtype: DType
    source: Source
    number: int | None
    filled: int | None
    order: int | None
    slot: int


@dataclass(slots=True, eq=False)
class Stretch:
    """`peak`: most bytes that the call added. `made`: bytes of storages from it that outlive it.

    `edges`: where gradients leave it. `kept`: storages that it keeps and others know; `rows` says what else
    it keeps. `back`: backward passes of it, by what tells them apart.
    """

    peak: int
    peak_by: tuple[str, str]
    kernels: tuple[Kernel, ...]
    flops: int
    needed: int | None
    assumed: bool
    nodes: int
    result: Result
    inner: tuple[Inner, ...]
    made: tuple[int, ...]
    edges: tuple[Source, ...]
    kept: tuple[Keeps, ...]
    rows: tuple[Saved, ...]
    back: dict[Any, Any] = field(default_factory=dict[Any, Any])

    def again(self, run: Run, args: Sequence[Tensor], own: Sequence[Tensor]) -> Tensor:
        """The result of a call that is alike, and its effects on `run`."""
        start, peak = run.live, (run.peak, run.peak_by)
        given = {"arg": args, "own": own}
        out = self._out(run, given)
        if self.result.order is not None:
            out.node, out.requires_grad = self._node(run, given, out), True
        top = start + self.peak
        run.peak, run.peak_by = (top, rooted(run.place, self.peak_by)) if top > peak[0] else peak
        run.kernels += moved(run.place, self.kernels)
        if self.needed is not None:
            run.needed = run.flops + self.needed
        run.flops += self.flops
        run.assumed |= self.assumed
        return out

    def _out(self, run: Run, given: dict[str, Sequence[Tensor]]) -> Tensor:
        shape, strides, dtype, (where, index), number, filled, _, _ = self.result
        inside = where == "in"
        storage = Storage(self.made[index], "activation", run, "") if inside else given[where][index].storage
        out = Tensor(shape, strides, dtype, storage)
        out.number, out.filled = number, filled
        return out

    def _node(self, run: Run, given: dict[str, Sequence[Tensor]], out: Tensor) -> Node:
        run.nodes += self.nodes
        kept = [
            Kept(k.reason, out.storage if k.source[0] == "in" else given[k.source[0]][k.source[1]].storage,
                 k.shape, k.dtype)
            for k in self.kept
        ]  # fmt: skip
        rest = sum(row.nbytes for row in self.rows)
        if rest:
            kept.append(Kept(WHOLE, Storage(rest, "activation", run, ""), (rest,), dtypes.uint8))
        operands = [operand(given[where][index]) for where, index in self.edges]
        flops = sum(inner.flops for inner in self.inner)
        return Node("inside", run.place, run.nodes, operands, kept, flops, inside=self)

    def told(self, node: Node, at: int) -> Iterator[Saved]:
        """What its node says of a tensor that it keeps."""
        kept = node.saved[at]
        if at == len(self.kept):
            yield from moved_rows(node.place, self.rows)
        else:
            whose, storage = self.kept[at], kept.storage
            place = node.place + whose.place
            yield Saved(
                storage.nbytes, storage.role, place, whose.operation, kept.reason, kept.shape, kept.dtype.name
            )

    def unfolded(self, node: Node, run: Run) -> list[Node]:
        """The nodes that it stands for, which keep what it kept."""
        storages = {k.source: kept.storage for k, kept in zip(self.kept, node.saved, strict=False)}
        ends = dict(zip(self.edges, node.operands, strict=True))
        nodes = dict[int, Node]()
        for one in self.inner:
            operands = [_operand(edge, nodes, ends) for edge in one.operands]
            saved = [
                Kept(k.reason, self._storage(k.source, storages, run), k.shape, k.dtype) for k in one.saved
            ]
            order = node.order - self.nodes + one.order
            place = node.place + one.place
            nodes[one.order] = Node(
                one.name, place, order, operands, saved, one.flops, one.detail, one.inside
            )
        return list(nodes.values())

    def _storage(self, source: Source, storages: dict[Source, Storage], run: Run) -> Storage:
        if source not in storages:
            found = storages[source] = Storage(self.made[source[1]])
            found.run = run
            run.live += found.nbytes  # which it had as part of the whole
        return storages[source]


def _operand(edge: Edge, nodes: dict[int, Node], ends: dict[Source, Operand]) -> Operand:
    shape, strides, dtype, source, slot = edge
    if source is None:
        return Operand(shape, strides, dtype, None, 0, None)
    if source[0] == "in":
        return Operand(shape, strides, dtype, nodes[source[1]], slot, None)
    end = ends[source]
    return Operand(shape, strides, dtype, end.node, end.slot, end.leaf)


def rooted(place: str, by: tuple[str, str]) -> tuple[str, str]:
    return place + by[0], by[1]


def moved(place: str, kernels: Sequence[Kernel], off: int = 0) -> list[Kernel]:
    """The same kernels in another module, whose path takes the place of `off` letters."""
    return [Kernel(k.name, place + k.place[off:], k.flops, k.read, k.written, k.dtype) for k in kernels]


def moved_rows(place: str, rows: Sequence[Saved]) -> list[Saved]:
    """The same rows in another module."""
    return [Saved(r.nbytes, r.role, place + r.place, r.operation, r.reason, r.shape, r.dtype) for r in rows]
