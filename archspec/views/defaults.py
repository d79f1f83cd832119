"""The `defaults` of a document, written into each step that takes them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from archspec.components import COMPONENTS
from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.spec import Spec

_BODIES = frozenset({"residual", "parallel", "body", "branch", "branches", "shortcut"})
_SCOPES = frozenset({"repeat", "experts", "each", "recur", "call", "push", *_BODIES})


def filled(spec: Spec) -> Mapping:
    """The document with all defaults in place.

    `defaults` keeps only those of words that a `vary` may put in for a step: they are filled in per layer.
    """
    filler = _Filler(spec)
    entries = [(key, filler.section(str(key.value), node)) for key, node in spec.node.entries]
    return replace(spec.node, entries=tuple((key, node) for key, node in entries if node is not None))


class _Filler:
    def __init__(self, spec: Spec) -> None:
        self.blocks = frozenset(spec.blocks)
        section = spec.section("defaults")
        self.defaults = {str(key.value): args for key, args in section.entries if isinstance(args, Mapping)}
        self.varied = frozenset(_varied_words(spec.node))

    def section(self, name: str, node: Node) -> Node | None:
        if name == "defaults" and isinstance(node, Mapping):
            kept = tuple(entry for entry in node.entries if entry[0].value in self.varied)
            return replace(node, entries=kept) if kept else None
        if name == "model":
            return self.body(node)
        if name in ("blocks", "losses") and isinstance(node, Mapping):
            inner = self.block if name == "blocks" else self.loss
            return replace(node, entries=tuple((key, inner(value)) for key, value in node.entries))
        return node

    def block(self, node: Node) -> Node:
        closed = node.get("closed") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or (isinstance(closed, Scalar) and closed.value is True):
            return node
        entries = tuple((k, self.body(v) if k.value == "body" else v) for k, v in node.entries)
        return replace(node, entries=entries)

    def loss(self, node: Node) -> Node:
        word = node.get("op") if isinstance(node, Mapping) else None
        return self.arguments(node, word) if isinstance(node, Mapping) and isinstance(word, Scalar) else node

    def body(self, node: Node) -> Node:
        """A list of steps, or one step standing for it."""
        if isinstance(node, Sequence):
            return replace(node, items=tuple(self.body(item) for item in node.items))
        if isinstance(node, Scalar) and self.args_of(node):
            return Mapping(((node, self.arguments(Mapping((), node.span), node)),), node.span)
        if isinstance(node, Mapping) and len(node.entries) == 1:
            key, value = node.entries[0]
            return replace(node, entries=((key, self.step(key, value)),))
        return self.scope(node) if isinstance(node, Mapping) else node

    def step(self, key: Scalar, value: Node) -> Node:
        """What stands behind a step's name."""
        if isinstance(value, Sequence):
            return self.body(value)
        if isinstance(value, Scalar):
            return self.word(key, value)
        op = value.get("op")
        if isinstance(op, Scalar):
            return self.arguments(value, op)
        if key.value in _SCOPES or not _SCOPES.isdisjoint(value.keys()):
            return self.scope(value)
        return self.arguments(value, key)

    def word(self, key: Scalar, value: Scalar) -> Node:
        """`- name: op`, `- op:` or an expression."""
        if value.value is None and not value.quoted:
            return self.arguments(Mapping((), key.span), key) if self.args_of(key) else value
        if not self.args_of(value):
            return value
        op = Scalar("op", "op", value.span)
        return self.arguments(Mapping(((op, value),), value.span), value)

    def scope(self, node: Mapping) -> Mapping:
        """A scope's keys, or the arguments of a step: bodies in it are filled, wherever they stand."""
        entries = tuple((key, self.inside(str(key.value), value)) for key, value in node.entries)
        return replace(node, entries=entries)

    def inside(self, key: str, value: Node) -> Node:
        if key in _BODIES and not (key == "parallel" and isinstance(value, Mapping)):
            return self.body(value)
        return self.scope(value) if isinstance(value, Mapping) and key != "vary" else value

    def arguments(self, given: Mapping, word: Scalar) -> Mapping:
        """The arguments of a step with the defaults of its word behind them."""
        given = self.scope(given)
        added = tuple(entry for entry in self.args_of(word) if given.get(str(entry[0].value)) is None)
        return replace(given, entries=(*given.entries, *added))

    def args_of(self, word: Scalar) -> tuple[tuple[Scalar, Node], ...]:
        """The defaults of a word; a block takes none."""
        name = str(word.value)
        found = self.defaults.get(name) if name in COMPONENTS and name not in self.blocks else None
        return found.entries if found else ()


def _varied_words(node: Node) -> Iterator[str]:
    """Every word in a `vary`: any of them may stand for a step."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _varied_words(item)
    elif isinstance(node, Mapping):
        for key, value in node.entries:
            yield from _words(value) if key.value == "vary" else _varied_words(value)


def _words(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield str(node.value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _words(item)
    else:
        for key, value in node.entries:
            yield str(key.value)
            yield from _words(value)
