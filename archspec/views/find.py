"""Finding one part of a graph by its path: `h.0.attn.qkv.weight`, `h.*.attn`, `encoder.norm`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from archspec.errors import ArchspecError, Diagnostic, Span, did_you_mean
from archspec.ir.graph import Call, Graph, Node, Param, Region, Repeat, Value

_SHOWN = 12
Part: TypeAlias = Region | Param | Value


class Found(Struct, frozen=True):
    """A part, and the way to it from the root.

    `path` has a number for every layer. `steps` are the nodes passed, from the outside in; for a value, the
    last one makes it.
    """

    part: Part
    path: str
    steps: tuple[Node, ...]
    region: Region

    @property
    def spans(self) -> tuple[Span, ...]:
        """The places in the spec that the way leads through, each once."""
        return tuple(dict.fromkeys(step.span for step in self.steps if step.span is not None))


class _Way(Struct, frozen=True):
    region: Region
    path: str = ""
    steps: tuple[Node, ...] = ()

    def into(self, node: Node, region: Region, name: str) -> _Way:
        return _Way(region, f"{self.path}.{name}" if self.path else name, (*self.steps, node))


def find(graph: Graph, path: str) -> Found:
    """The part that a path names; `*` is the first layer that has the rest of the path.

    Raises ArchspecError X003 where there is none, with the names that stand where the path ends.
    """
    search = _Search(path)
    found = next(search.below(_Way(graph.root), path), None)
    if found is None:
        raise ArchspecError(search.failure())
    return found


class _Search:
    def __init__(self, path: str) -> None:
        self.path = path
        self.farthest = _Way(Region("", "", (), (), ()))
        self.rest: str | None = None

    def below(self, way: _Way, rest: str) -> Iterator[Found]:
        if self.rest is None or len(rest) < len(self.rest):
            self.farthest, self.rest = way, rest
        for param in way.region.params:
            if param.name == rest:
                yield Found(param, f"{way.path}.{rest}" if way.path else rest, way.steps, way.region)
        for node in way.region.nodes:
            for inner, name, end in _entrances(node, rest):
                yield from self.inside(way.into(node, inner, name), rest[end:])
        yield from self.values(way, rest)

    def inside(self, way: _Way, rest: str) -> Iterator[Found]:
        if not rest:
            yield Found(way.region, way.path, way.steps, way.region)
        else:
            yield from self.below(way, rest[1:])

    @staticmethod
    def values(way: _Way, rest: str) -> Iterator[Found]:
        path = f"{way.path}.{rest}" if way.path else rest
        for value in way.region.inputs:
            if value.name == rest:
                yield Found(value, path, way.steps, way.region)
        for node in way.region.nodes:
            for value in node.outputs:
                if value.name == rest:
                    yield Found(value, path, (*way.steps, node), way.region)

    def failure(self) -> Diagnostic:
        word, _, inner = (self.rest or "").partition(".")
        names = list(dict.fromkeys(_names(self.farthest.region)))
        outer = f"'{self.farthest.path}'" if self.farthest.path else "the model"
        repeats = (n for n in self.farthest.region.nodes if isinstance(n, Repeat) and n.name == word)
        if repeat := next(repeats, None):
            layer, hint = inner.split(".")[0], f"layers run from 0 to {len(repeat.schedule) - 1}; '*' is any"
            return Diagnostic("X003", f"there is no layer '{layer}' in '{word}' of {outer}", None, hint)
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        hint = did_you_mean(word, names) or (f"there is: {shown}" if names else None)
        return Diagnostic("X003", f"there is no '{word}' in {outer}", None, hint)


def _entrances(node: Node, rest: str) -> Iterator[tuple[Region, str, int]]:
    """The regions a node leads into, the name of each, and how much of the path it uses up."""
    if isinstance(node, Call) and _begins(rest, node.region.name):
        yield node.region, node.region.name, len(node.region.name)
    if isinstance(node, Repeat) and _begins(rest, node.name):
        end = len(node.name)
        index = rest[end + 1 :].split(".")[0]
        for layer in _layers(node, index or "*"):
            yield (
                node.variants[node.schedule[layer]],
                f"{node.name}.{layer}",
                end + (1 + len(index)) * (index != ""),
            )


def _begins(rest: str, name: str) -> bool:
    return rest == name or rest.startswith(f"{name}.")


def _layers(node: Repeat, index: str) -> Iterator[int]:
    """The layers an index means: one, or the first of each kind."""
    if index == "*":
        yield from sorted(map(node.schedule.index, dict.fromkeys(node.schedule)))
    elif index.isdigit() and int(index) < len(node.schedule):
        yield int(index)


def _names(region: Region) -> Iterator[str]:
    """What may stand next in a path."""
    yield from (param.name for param in region.params)
    for node in region.nodes:
        if isinstance(node, Repeat):
            yield f"{node.name}.*"
        elif isinstance(node, Call):
            yield node.region.name
        else:
            yield from (value.name for value in node.outputs)
