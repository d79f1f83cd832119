"""What a model has learned and what it keeps beside: counted from the graph, each tensor once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

from msgspec import Struct

from archspec.analysis.routing import routing
from archspec.analysis.sizes import Sizes
from archspec.analysis.widths import width
from archspec.ir.graph import Call, Graph, Param, Region, Repeat
from archspec.ir.graph import parameter as find

_LAYER = re.compile(r"(?<=\.)\d+(?=\.)")


class Tensors(Struct, frozen=True):
    """Equal tensors: `name` in the module `path`, `count` of them, of which `active` run for a token.

    `path` has `*` for the layers of a repeat. `elements` and `bytes_each` are those of one tensor in fp32
    (`bytes_in` gives other dtypes). `component` is the word of the language that the module was written with.
    """

    path: str
    name: str
    component: str
    dtype: str
    elements: int
    count: int
    active: int
    trainable: bool


class Parameters(Struct, frozen=True):
    """The tensors of a graph without those that are tied to others; `tied` names these and their owners."""

    tensors: tuple[Tensors, ...]
    tied: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, graph: Graph) -> Parameters:
        found = {(t.path, t.name): t for t in _merged(_tensors(graph.root, "", 1, 1))}
        for alias, _ in graph.ties:
            _untie(found, alias, find(graph, alias))
        return cls(tuple(t for t in found.values() if t.count), graph.ties)

    @property
    def total(self) -> int:
        """Learned numbers."""
        return self._sum(lambda t: t.elements * t.count * t.trainable)

    @property
    def trainable(self) -> int:
        """The same: what a spec calls a parameter learns."""
        return self.total

    @property
    def buffers(self) -> int:
        """Numbers in the checkpoint that do not learn."""
        return self._sum(lambda t: t.elements * t.count * (not t.trainable))

    @property
    def active(self) -> int:
        """Learned numbers that run for one token: all but those of experts it is not routed to.

        Tables of embeddings count whole.
        """
        return self._sum(lambda t: t.elements * t.active * t.trainable)

    def bytes(self, dtype: str = "float32", *, buffers: bool = True) -> int:
        """Bytes of all tensors, the model built in `dtype`; tensors with a dtype of their own keep it."""
        return self._sum(lambda t: t.elements * t.count * width(t.dtype, dtype) * (t.trainable or buffers))

    def by_component(self) -> dict[str, int]:
        """Learned numbers by the word of the language that the module was written with."""
        return self._by(lambda t: t.component)

    def by_path(self, depth: int | None = None) -> dict[str, int]:
        """Learned numbers by module; with a `depth` modules below it count for the one around them."""
        return self._by(lambda t: ".".join(t.path.split(".")[:depth]))

    def _sum(self, each: Callable[[Tensors], int]) -> int:
        return sum(map(each, self.tensors))

    def _by(self, key: Callable[[Tensors], str]) -> dict[str, int]:
        out: dict[str, int] = {}
        for t in self.tensors:
            if t.trainable:
                out[key(t)] = out.get(key(t), 0) + t.elements * t.count
        return out


def _tensors(region: Region, path: str, count: int, active: int) -> Iterator[Tensors]:
    for param in region.params:
        size, type_ = _elements(param), param.value.type
        yield Tensors(path, param.name, region.component, type_.dtype, size, count, active, param.trainable)
    for node in region.nodes:
        if isinstance(node, Call) and not node.shared:
            yield from _tensors(node.region, _join(path, node.region.name), count, active)
        elif isinstance(node, Repeat):
            yield from _repeated(node, region, path, count, active)


def _repeated(node: Repeat, region: Region, path: str, count: int, active: int) -> Iterator[Tensors]:
    """Of experts those run that are chosen; where they are of several kinds, as many of each on average."""
    schedule = node.schedule[:1] if node.shared else node.schedule
    chosen = len(schedule)
    if node.rows is not None:
        chosen = int(routing(node, region, Sizes({})).chosen)
    for variant, inner in enumerate(node.variants):
        times = schedule.count(variant)
        running = times * chosen // max(1, len(schedule))
        yield from _tensors(inner, _join(path, f"{node.name}.*"), count * times, active * running)


def _merged(tensors: Iterator[Tensors]) -> Iterator[Tensors]:
    """Tensors of one place and size together: those of variants of a layer."""
    out: dict[tuple[object, ...], tuple[Tensors, int, int]] = {}
    for t in tensors:
        key = (t.path, t.name, t.component, t.dtype, t.elements, t.trainable)
        _, count, active = out.get(key, (t, 0, 0))
        out[key] = (t, count + t.count, active + t.active)
    for t, count, active in out.values():
        yield Tensors(t.path, t.name, t.component, t.dtype, t.elements, count, active, t.trainable)


def _untie(found: dict[tuple[str, str], Tensors], alias: str, param: Param | None) -> None:
    path, _, name = _LAYER.sub("*", alias).rpartition(".")
    t = found.get((path, name))
    if t is not None and param is not None:
        found[path, name] = Tensors(
            path, name, t.component, t.dtype, t.elements, t.count - 1, t.active - 1, t.trainable
        )


def _elements(param: Param) -> int:
    return math.prod(int(size) for size in param.value.type.shape)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
