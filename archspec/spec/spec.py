"""A checked spec: the document's outline and its bodies as trees, each part with its place in the text."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from archspec.errors import Collector
from archspec.spec.node import Mapping, Node, Plain, Scalar, Sequence, plain
from archspec.spec.read_steps import Reader
from archspec.spec.tree import Body
from archspec.spec.validate import validate


class BlockDef(Struct, frozen=True):
    """A reusable module. `args` and `inputs` are nodes, read when the block is used.

    A `closed` one sees neither params nor defaults of the document.
    """

    name: str
    summary: str
    args: Mapping | None
    inputs: Mapping | None
    body: Body
    returns: tuple[Scalar, ...]
    node: Mapping
    closed: bool = False


class Spec(Struct, frozen=True):
    """`overrides` are params set by the caller, by name; `preset` names one of the document's sets.

    `graph` names the part that is meant, by the caller or by the document; None where all of it is.
    """

    node: Mapping
    model: Body
    blocks: dict[str, BlockDef]
    path: Path | None = None
    preset: str | None = None
    overrides: tuple[tuple[str, Scalar | Sequence], ...] = ()
    graph: str | None = None

    @property
    def name(self) -> str:
        return self.text("name") or "unread"

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the document's sets of params."""
        return tuple(map(str, self.section("presets").keys()))

    def table(self, key: str) -> dict[str, Plain]:
        """A section as plain data."""
        return {str(name.value): plain(node) for name, node in self.section(key).entries}

    def text(self, key: str) -> str:
        """What the document says of itself in one place; nothing where it says none."""
        found = self.node.get(key)
        return str(found.value) if isinstance(found, Scalar) and found.value is not None else ""

    def section(self, key: str) -> Mapping:
        found = self.node.get(key)
        return found if isinstance(found, Mapping) else Mapping((), self.node.span)


def facts_of(spec: Spec) -> Mapping | None:
    """The facts about the spec as it is set: none where the caller changed params."""
    expect = spec.section("expect")
    if spec.overrides or (spec.graph and spec.preset):
        return None
    if spec.preset is None and spec.graph is None:
        return expect
    group = expect.get("graphs" if spec.graph else "presets")
    facts = group.get(spec.graph or spec.preset or "") if isinstance(group, Mapping) else None
    return facts if isinstance(facts, Mapping) else None


def read_spec(
    node: Node,
    *,
    path: Path | None = None,
    preset: str | None = None,
    overrides: tuple[tuple[str, Scalar | Sequence], ...] = (),
    graph: str | None = None,
    found: Collector | None = None,
) -> Spec:
    """A resolved document as a spec.

    Raises `SpecError` with every finding of the outline and of the bodies. With `found` they are left there,
    and the spec holds what could be read, so that lowering can add its own: only a document that is no
    mapping, or one with very many findings, raises.
    """
    kept = found or Collector()
    node = validate(node, kept)
    reader = Reader(kept)
    model = node.get("model")
    body = reader.body(model) if model is not None else ()
    blocks = {name: _block(name, inner, reader) for name, inner in _blocks(node)}
    if found is None:
        kept.raise_if_any()
    read = Spec(node, body, blocks, path, preset, overrides, graph)
    return read if graph else replace(read, graph=read.text("graph") or None)


def _blocks(node: Mapping) -> list[tuple[str, Mapping]]:
    section = node.get("blocks")
    if not isinstance(section, Mapping):
        return []
    return [(str(key.value), value) for key, value in section.entries if isinstance(value, Mapping)]


def _block(name: str, node: Mapping, reader: Reader) -> BlockDef:
    body, summary, returns = node.get("body"), node.get("summary"), node.get("returns")
    items = returns.items if isinstance(returns, Sequence) else (returns,) if returns is not None else ()
    args, inputs, closed = node.get("args"), node.get("in"), node.get("closed")
    return BlockDef(
        name,
        str(summary.value) if isinstance(summary, Scalar) else "",
        args if isinstance(args, Mapping) else None,
        inputs if isinstance(inputs, Mapping) else None,
        reader.body(body) if body is not None else (),
        tuple(i for i in items if isinstance(i, Scalar)),
        node,
        isinstance(closed, Scalar) and closed.value is True,
    )
