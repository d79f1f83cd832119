"""A document as located nodes: what the YAML said, and where. Knows nothing of specs."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from archspec.errors import Span

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"


class Scalar(Struct, frozen=True):
    """A YAML 1.2 core scalar. `text` is as written; `quoted` says that it was a quoted string."""

    value: bool | int | float | str | None
    text: str
    span: Span
    quoted: bool = False


class Sequence(Struct, frozen=True):
    """A list of nodes."""

    items: tuple[Node, ...]
    span: Span


class Mapping(Struct, frozen=True):
    """Keys are strings, in document order, without duplicates; `span` covers the whole mapping."""

    entries: tuple[tuple[Scalar, Node], ...]
    span: Span

    def get(self, key: str) -> Node | None:
        return next((value for name, value in self.entries if name.value == key), None)

    def key(self, key: str) -> Scalar | None:
        return next((name for name, _ in self.entries if name.value == key), None)

    def keys(self) -> tuple[str, ...]:
        return tuple(str(name.value) for name, _ in self.entries)

    def without(self, *keys: str) -> Mapping:
        return replace(self, entries=tuple(e for e in self.entries if e[0].value not in keys))


Node: TypeAlias = Scalar | Sequence | Mapping


def plain(node: Node) -> Plain:
    """The node as Python data, positions dropped."""
    if isinstance(node, Mapping):
        return {str(key.value): plain(value) for key, value in node.entries}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


def kind(node: Node) -> str:
    """The node's kind in a reader's words: `a mapping`, `a list`, `a string` …"""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", type(None): "null"}
    return names[type(node.value)]
