"""The spec as it is built: parents, preset, overrides and defaults written in, params as values."""

from __future__ import annotations

import hashlib

from msgspec.structs import replace

from archspec.dims import num as n
from archspec.dims.expr import Literal, write
from archspec.dims.num import Num, Value
from archspec.errors import Collector, Span
from archspec.lowering.settings import Settings
from archspec.spec import write as yaml
from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.spec import Spec
from archspec.views.defaults import filled


def resolved(spec: Spec) -> str:
    """The resolved document as YAML. It is a spec of its own and means the same graph.

    A param that was an expression is a value with that expression behind it. Facts that were stated for
    other params are left out. Raises SpecError where a param has no value.
    """
    document, comments = _document(spec)
    return yaml.write(document, comments)


def digest(spec: Spec) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the resolved document."""
    return hashlib.sha256(resolved(spec).encode()).hexdigest()[:16]


def resolved_document(spec: Spec) -> Mapping:
    """The resolved document as nodes."""
    return _document(spec)[0]


def _document(spec: Spec) -> tuple[Mapping, dict[str, str]]:
    found = Collector()
    settings = Settings(spec, found)
    found.raise_if_any()
    params = _params(spec, settings)
    entries = [(key, _section(spec, params, str(key.value), node)) for key, node in filled(spec).entries]
    kept = tuple((key, node) for key, node in entries if node is not None and key.value != "graph")
    document = replace(spec.node, entries=(*kept, *_chosen(spec)))
    return document, _derivations(settings, params)


def _chosen(spec: Spec) -> tuple[tuple[Scalar, Node], ...]:
    """The part that is meant, where it is not all of the model."""
    if spec.graph is None:
        return ()
    span = spec.node.span
    return ((Scalar("graph", "graph", span), Scalar(spec.graph, spec.graph, span)),)


def _section(spec: Spec, params: Mapping, name: str, node: Node) -> Node | None:
    if name == "params":
        return params
    if name == "expect":
        return _expect(spec, node)
    return None if name == "presets" else node


def _params(spec: Spec, settings: Settings) -> Mapping:
    section = spec.section("params")
    return replace(
        section,
        entries=tuple(
            (key, _node(settings.values[str(key.value)], settings, settings.nodes[str(key.value)]))
            for key, _ in section.entries
        ),
    )


def _node(value: Value, settings: Settings, written: Node) -> Node:
    """A value as a node; the node it was written in, where that already is the value."""
    if isinstance(written, Scalar) and not isinstance(written.value, str):
        return written
    if isinstance(value, tuple):
        items = written.items if isinstance(written, Sequence) else (written,) * len(value)
        return Sequence(tuple(_node(v, settings, w) for v, w in zip(value, items, strict=True)), written.span)
    return _scalar(value, settings, written.span)


def _scalar(value: Value, settings: Settings, span: Span) -> Scalar:
    if isinstance(value, str):
        taken = (*settings.nodes, "true", "false", "null")
        text = value if value.isidentifier() and value not in taken else write(Literal(value))
        return Scalar(text, text, span)
    if isinstance(value, Num):
        number = n.num(value.value)
        return Scalar(number.real, _number(number), span)
    return Scalar(value if isinstance(value, bool) else None, "true" if value else "false", span)


def _number(number: Num) -> str:
    text = repr(number.value)
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)


def _derivations(settings: Settings, params: Mapping) -> dict[str, str]:
    """`params.name` to the expression that gave its value."""
    written = ((str(key.value), value, settings.nodes[str(key.value)]) for key, value in params.entries)
    return {
        f"params.{name}": text
        for name, value, node in written
        if (text := _expression(node)) and text != _expression(value)
    }


def _expression(node: Node) -> str | None:
    """What a scalar or a list of a param computes, if it computes anything."""
    if isinstance(node, Sequence):
        parts = [_expression(item) for item in node.items]
        texts = (part or _plain(item) for part, item in zip(parts, node.items, strict=True))
        return f"[{', '.join(texts)}]" if any(parts) else None
    return " ".join(node.value.split()) if isinstance(node, Scalar) and isinstance(node.value, str) else None


def _plain(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else _expression(node) or "…"


def _expect(spec: Spec, node: Node) -> Node | None:
    """The facts about these params, if the document states any."""
    if spec.overrides or not isinstance(node, Mapping):
        return None
    if spec.preset is None:
        return node.without("presets")
    presets = node.get("presets")
    facts = presets.get(spec.preset) if isinstance(presets, Mapping) else None
    if not isinstance(facts, Mapping):
        return None
    source = [entry for entry in node.entries if entry[0].value == "source"]
    return replace(facts, entries=(*facts.entries, *source))
