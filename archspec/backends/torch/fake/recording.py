"""Noting what a call does while it runs for the first time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from archspec.backends.torch.fake import alike
from archspec.backends.torch.fake.node import Kept, Node, Operand
from archspec.backends.torch.fake.run import Run
from archspec.backends.torch.fake.storage import Storage
from archspec.backends.torch.fake.stretch import (
    WHOLE,
    Edge,
    Inner,
    Keeps,
    Result,
    Source,
    Stretch,
    moved,
    moved_rows,
)
from archspec.backends.torch.fake.tensor import Tensor
from archspec.backends.torch.fake.traced import Saved

if TYPE_CHECKING:  # a module asks for this
    from archspec.backends.torch.fake.nn import Module


class UnfitError(Exception):
    """A call reaches something that it was not given: it is run every time."""


def called(run: Run, module: Module, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """`module.forward`, or what it did before where a call was alike."""
    assert run.alike is not None
    tensors, own = list[Tensor](), alike.own(module)
    given = alike.described((args, tuple(options.items())), tensors)
    if given is None:
        return module.forward(*args, **options)
    key = (
        alike.kind(module, run.kinds), run.grad, given, alike.joined(tensors), alike.shared((*tensors, *own))
    )  # fmt: skip
    if key not in run.alike:
        return _first(run, key, tensors, own, lambda: module.forward(*args, **options))
    known = run.alike[key]
    return module.forward(*args, **options) if known is None else known.again(run, tensors, own)


def _first(run: Run, key: Any, tensors: list[Tensor], own: list[Tensor], body: Callable[[], Any]) -> Any:
    before, recording = (run.peak, run.peak_by, run.assumed), Recording(run, tensors, own)
    run.peak, run.peak_by, run.assumed = run.live, (run.place, ""), False
    out = body()
    assert run.alike is not None
    try:
        run.alike[key] = recording.stretch(out)
    except UnfitError:
        run.alike[key] = None
    if before[0] >= run.peak:
        run.peak, run.peak_by = before[:2]
    run.assumed |= before[2]
    return out


class Recording:
    """The state of a run before a call of these tensors, to be compared with that after it."""

    def __init__(self, run: Run, tensors: Sequence[Tensor], own: Sequence[Tensor]) -> None:
        self.run, self.tensors, self.made = run, tensors, list[int]()
        self.live, self.nodes, self.kernels, self.flops = run.live, run.nodes, len(run.kernels), run.flops
        self.given = [_state(x) for x in tensors]
        known = [("own", own), ("arg", tensors)]
        self.storages = {
            id(x.storage): (name, i) for name, some in known for i, x in reversed(list(enumerate(some)))
        }
        self.results = {
            (x.node.order, x.slot): ("arg", i) for i, x in reversed(list(enumerate(tensors))) if x.node
        }
        self.leaves: dict[int, Source] = {id(x): ("own", i) for i, x in reversed(list(enumerate(own)))}

    def stretch(self, out: Any) -> Stretch:
        """What was done. Raises UnfitError where it cannot be done again from what is given alone."""
        run = self.run
        if type(out) is not Tensor or self.given != [_state(x) for x in self.tensors]:
            raise UnfitError
        inner = self._inner(out)
        result = self._result(out)
        if run.live - self.live != sum(self.made):
            raise UnfitError
        kept, rows = self._kept(inner, result.source)
        sources = [edge.source for one in inner for edge in one.operands if edge.source]
        return Stretch(
            peak=run.peak - self.live,
            peak_by=(run.peak_by[0][len(run.place) :], run.peak_by[1]),
            kernels=tuple(moved("", run.kernels[self.kernels :], len(run.place))),
            flops=run.flops - self.flops,
            needed=run.needed - self.flops if run.needed >= self.flops else None,
            assumed=run.assumed,
            nodes=run.nodes - self.nodes,
            result=result,
            inner=tuple(inner),
            made=tuple(self.made),
            edges=tuple(dict.fromkeys(s for s in sources if s[0] != "in")),
            kept=tuple(kept),
            rows=tuple(rows),
        )

    def _result(self, out: Tensor) -> Result:
        order = None
        if out.requires_grad:
            if out.node is None or out.node.order <= self.nodes:
                raise UnfitError
            order = out.node.order - self.nodes
        source = self._source(out.storage)
        return Result(out.shape, out.strides, out.dtype, source, out.number, out.filled, order, out.slot)

    def _inner(self, out: Tensor) -> list[Inner]:
        """The nodes of the call that lead to its result, earlier ones first."""
        found, waiting = dict[int, Node](), [out.node]
        while waiting:
            node = waiting.pop()
            if node is not None and node.order > self.nodes and node.order not in found:
                found[node.order] = node
                waiting += [x.node for x in node.operands]
        return [self._noted(found[order]) for order in sorted(found)]

    def _noted(self, node: Node) -> Inner:
        if node.again is not None:
            raise UnfitError
        place = node.place[len(self.run.place) :]
        return Inner(
            node.name, place, node.order - self.nodes, node.flops, node.detail, node.inside,
            tuple([self._edge(x) for x in node.operands]),
            tuple([self._keeps(node, at, kept) for at, kept in enumerate(node.saved)]),
        )  # fmt: skip

    def _edge(self, x: Operand) -> Edge:
        source: Source | None = None
        if x.node is not None:
            inside = x.node.order > self.nodes
            source = ("in", x.node.order - self.nodes) if inside else self.results.get((x.node.order, x.slot))
        elif x.leaf is not None:
            source = self.leaves.get(id(x.leaf))
        if x.wanted and source is None:
            raise UnfitError
        return Edge(x.shape, x.strides, x.dtype, source, x.slot)

    def _keeps(self, node: Node, at: int, kept: Kept) -> Keeps:
        place, name = node.place[len(self.run.place) :], node.name
        if node.inside is not None and kept.reason != WHOLE:
            whose = node.inside.kept[at]
            place, name = place + whose.place, whose.operation
        return Keeps(kept.reason, self._source(kept.storage), kept.shape, kept.dtype, place, name)

    def _source(self, storage: Storage) -> Source:
        if id(storage) not in self.storages:
            if storage.run is not self.run:
                raise UnfitError
            self.storages[id(storage)] = ("in", len(self.made))
            self.made.append(storage.nbytes)
        return self.storages[id(storage)]

    def _kept(self, inner: Sequence[Inner], result: Source) -> tuple[list[Keeps], list[Saved]]:
        """What others know of, and what nobody else does; it is the first one's that keeps it."""
        kept, rows = dict[Source, Keeps](), dict[Source, list[Saved]]()
        for one in inner:
            for keeps in one.saved:
                outside = keeps.source[0] != "in" or keeps.source == result
                if outside:
                    kept.setdefault(keeps.source, keeps)
                else:
                    rows.setdefault(keeps.source, list(self._rows(one, keeps)))
        return list(kept.values()), [row for some in rows.values() for row in some]

    def _rows(self, one: Inner, keeps: Keeps) -> Iterator[Saved]:
        if one.inside is not None and keeps.reason == WHOLE:
            yield from moved_rows(one.place, one.inside.rows)
            return
        nbytes = self.made[keeps.source[1]]
        yield Saved(
            nbytes, "activation", keeps.place, keeps.operation, keeps.reason, keeps.shape, keeps.dtype.name
        )


def _state(x: Tensor) -> tuple[Any, ...]:
    return x.node, x.slot, x.requires_grad, x.filled, x.number, x.shape, x.strides
