"""The modules of a graph with what the spec says of each: what two specs are compared by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import cast

from msgspec import Struct

from archspec.components import COMPONENTS
from archspec.dims.expr import Expr, write
from archspec.dims.num import product
from archspec.errors import Span
from archspec.ir.graph import Apply, Call, Graph, Node, Region, Repeat, Value
from archspec.ir.op import Op
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Node as Written
from archspec.spec.node import Scalar, Sequence
from archspec.spec.spec import Spec
from archspec.views.defaults import filled

_LONG = 72
_NOTHING: Mapping[str, str] = MappingProxyType({})
_BODIES = frozenset({"body", "branch", "branches", "repeat", "each"})


class Part(Struct, frozen=True):
    """One module. `size`: learned numbers of its own in all `count` instances; `times`: as it is written.

    `arguments` are those of the step, defaults filled in; `shapes` of parameters; `steps` what it computes.
    """

    path: str
    component: str
    count: int
    times: str
    size: int
    arguments: Mapping[str, str]
    shapes: Mapping[str, str]
    steps: tuple[str, ...]

    @property
    def is_word(self) -> bool:
        """Whether it is a component of the language, which its arguments describe."""
        return self.component in COMPONENTS


_Place = tuple[str, int, int]


class _Way(Struct, frozen=True):
    """How a region is reached. `place`: where the step begins that it belongs to."""

    path: str = ""
    count: int = 1
    times: str = ""
    place: _Place | None = None
    arguments: Mapping[str, str] = _NOTHING


def parts_of(graph: Graph, spec: Spec) -> Iterator[Part]:
    """Every module, the model itself first; the layers of a repeat are `h.*`, once for each kind."""
    reader = _Reader(dict(_arguments(filled(spec))), frozenset(alias for alias, _ in graph.ties))
    return reader.parts(graph.root, _Way())


class _Reader(Struct, frozen=True):
    written: dict[_Place, dict[str, str]]
    tied: frozenset[str]

    def parts(self, region: Region, way: _Way) -> Iterator[Part]:
        own = (p for p in region.params if p.trainable and f"{way.path}.{p.name}" not in self.tied)
        size = way.count * sum(int(product(p.value.type.shape)) for p in own)
        shapes = {p.name: f"[{', '.join(map(str, p.value.type.shape))}]" for p in region.params}
        component = region.component if way.path else ""
        yield Part(
            way.path, component, way.count, way.times, size, way.arguments, shapes, tuple(steps(region))
        )
        for node in region.nodes:
            for inner, name, layers in _inner(node):
                yield from self.parts(inner, self.into(way, node, name, layers))

    def into(self, way: _Way, node: Node, name: str, layers: int) -> _Way:
        """A component's own modules stand at its step, whose arguments are not theirs."""
        place = _place(node.span) if node.span else None
        arguments = self.written.get(place, {}) if place and place != way.place else {}
        times = node.count.described() if isinstance(node, Repeat) else _positions(node)
        path = f"{way.path}.{name}" if way.path else name
        return _Way(path, way.count * layers, times, place, arguments)


def _positions(node: Node) -> str:
    """Along how many positions of which axis a module runs, if it does."""
    if not isinstance(node, Call) or node.along is None:
        return ""
    return f"{node.runs.described()} along axis {node.along.axis}"


def _inner(node: Node) -> Iterator[tuple[Region, str, int]]:
    if isinstance(node, Call) and not node.shared:
        yield node.region, node.region.name, 1
    elif isinstance(node, Repeat):
        for number, variant in enumerate(node.variants):
            yield variant, f"{node.name}.*", 1 if node.shared else node.schedule.count(number)


def steps(region: Region) -> Iterator[str]:
    """What the region does, line by line. A value is called after what makes it."""
    labels: dict[str, str] = {}
    for node in region.nodes:
        given = ", ".join("_" if value is None else _label(value, labels) for value in node.inputs)
        if isinstance(node, Apply):
            name, settings = node.op.name, _settings(node.op)
        else:
            name, settings = node.region.name if isinstance(node, Call) else node.name, ""
        labels |= {value.name: name for value in node.outputs}
        yield f"{name}({given}){settings}"
    yield f"gives {', '.join(_label(value, labels) for value in region.outputs)}"


def _label(value: Value, labels: Mapping[str, str]) -> str:
    return labels.get(value.name, value.name)


def _settings(op: Op) -> str:
    parts = [f"{name} = {_setting(value)}" for name, value in op.attributes()]
    return f" {{{', '.join(parts)}}}" if parts else ""


def _setting(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_setting, cast('tuple[object, ...]', value)))}]"
    if isinstance(value, Expr):
        return write(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _place(span: Span) -> _Place:
    """Where a step begins."""
    return span.source.name, span.line, span.column


def _arguments(node: Written) -> Iterator[tuple[_Place, dict[str, str]]]:
    """The arguments of every step, by the place of its name."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _arguments(item)
    elif isinstance(node, Table):
        for key, value in node.entries:
            if isinstance(value, Table):
                yield _place(key.span), _of_step(value)
            elif isinstance(value, Scalar):
                yield _place(key.span), {"op": written(value)}
            yield from _arguments(value)


def _of_step(value: Table) -> dict[str, str]:
    """The arguments of one step; its bodies are modules of their own."""
    return {str(key.value): written(inner) for key, inner in value.entries if key.value not in _BODIES}


def written(node: Written) -> str:
    """A value of a spec on one line, cut where it is long."""
    text = _flow(node)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _flow(node: Written) -> str:
    if isinstance(node, Table):
        return "{" + ", ".join(f"{key.value}: {_flow(value)}" for key, value in node.entries) + "}"
    if isinstance(node, Sequence):
        return f"[{', '.join(map(_flow, node.items))}]"
    return str(node.value) if isinstance(node.value, str) else node.text
