"""Dotted paths into a document: `blocks.block.attn`, `model.h`, `tie.lm_head.weight`.

A step is found by its name. Scopes without a name of their own (`residual`, `parallel`) need not be
written. Where a name is not there, the lists nested deeper are searched too, through named scopes. A key
with dots in it is matched whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from archspec.errors import Diagnostic, Span, SpecError, did_you_mean
from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.yaml_scalar import shorten

Trail: TypeAlias = tuple[int, ...]

_NAMELESS = frozenset({"residual", "parallel"})  # scopes that add nothing to a path
_BODIES = _NAMELESS | {"body", "branches", "branch"}  # keys that hold steps
_NAMES_SHOWN = 12


class Place(Struct, frozen=True):
    """Something a path can name: the entry of a mapping (`trail` ends at its value) or a step of a list."""

    name: str
    trail: Trail
    span: Span
    is_step: bool
    inside: Node
    inside_trail: Trail


def locate(root: Mapping, path: Scalar) -> Place:
    """The one place a path names. Raises `SpecError`: `P007` not found, `P008` found more than once."""
    search = _Search(root, str(path.value))
    found = {place.trail: place for place in search.find(root, (), 0)}
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise SpecError(search.failure(path))
    places = ", ".join(str(place.span) for place in found.values())
    message = f"'{shorten(str(path.value))}' names {len(found)} places: {places}"
    raise SpecError(Diagnostic("P008", message, path.span, "put the name of the scope around it in front"))


def value_at(node: Node, trail: Trail) -> Node:
    """The node at the end of a trail."""
    for index in trail:
        node = _child(node, index)
    return node


def edit(node: Node, trail: Trail, change: Callable[[Node], Node]) -> Node:
    """The same tree with the node at the end of a trail changed."""
    if not trail:
        return change(node)
    index = trail[0]
    child = edit(_child(node, index), trail[1:], change)
    if isinstance(node, Mapping):
        key = node.entries[index][0]
        return replace(node, entries=(*node.entries[:index], (key, child), *node.entries[index + 1 :]))
    assert isinstance(node, Sequence)
    return replace(node, items=(*node.items[:index], child, *node.items[index + 1 :]))


def _child(node: Node, index: int) -> Node:
    if isinstance(node, Mapping):
        return node.entries[index][1]
    assert isinstance(node, Sequence)
    return node.items[index]


def step_parts(item: Node) -> tuple[Scalar, Node | None] | None:
    """A step's key and value: `{name: value}`, or a bare `name` without a value. None for anything else."""
    if isinstance(item, Mapping) and len(item.entries) == 1:
        return item.entries[0]
    if isinstance(item, Scalar) and isinstance(item.value, str):
        return item, None
    return None


class _Search:
    """One path on its way down. Each pair of place and rest is visited once, so time is bounded."""

    def __init__(self, root: Mapping, text: str) -> None:
        self._root = root
        self._text = text
        self._visited: set[tuple[Trail, int]] = set()
        self._stop: tuple[int, Node, Trail] = (0, root, ())  # as far as any way through the document led

    def find(self, node: Node, trail: Trail, offset: int) -> list[Place]:
        if (trail, offset) in self._visited:
            return []
        self._visited.add((trail, offset))
        rest = self._text[offset:]
        fitting = [place for place in _near(node, trail) if _begins(rest, place.name)]
        fitting = fitting or [place for place in _nested(node, trail) if _begins(rest, place.name)]
        if not fitting and offset >= self._stop[0]:
            self._stop = (offset, node, trail)
        return [end for place in fitting for end in self._follow(place, offset)]

    def _follow(self, place: Place, offset: int) -> list[Place]:
        end = offset + len(place.name)
        if end == len(self._text):
            return [place]
        return self.find(place.inside, place.inside_trail, end + 1)

    def failure(self, path: Scalar) -> Diagnostic:
        offset, node, trail = self._stop
        word = self._text[offset:].split(".")[0]
        outer = f"'{shorten(self._text[: offset - 1])}'" if offset else "the document"
        span = path.span.shifted(offset + int(path.quoted), len(word))
        message = f"there is no '{shorten(word)}' in {outer}"
        return Diagnostic("P007", message, span, self._hint(word, node, trail))

    def _hint(self, word: str, node: Node, trail: Trail) -> str:
        block = _block_of(node, self._root)
        if block is not None:
            return f"it runs the block '{block}': patch 'blocks.{block}.{self._text[self._stop[0] :]}'"
        names = [place.name for place in (*_near(node, trail), *_nested(node, trail))]
        shown = ", ".join(list(dict.fromkeys(names))[:_NAMES_SHOWN])
        listed = f"there is: {shown}" if shown else "it holds nothing with a name"
        return did_you_mean(word, names) or listed


def _begins(rest: str, name: str) -> bool:
    return rest == name or rest.startswith(name + ".")


def _near(node: Node, trail: Trail) -> Iterator[Place]:
    """A mapping's keys and the steps of its body, or a list's steps; through scopes without a name."""
    if isinstance(node, Sequence):
        yield from _steps(node, trail, deep=False)
    if not isinstance(node, Mapping):
        return
    for index, (key, value) in enumerate(node.entries):
        below = (*trail, index)
        yield Place(str(key.value), below, key.span, False, value, below)
        if key.value in _BODIES and len(trail) > 1:
            yield from _steps(value, below, deep=False)


def _nested(node: Node, trail: Trail) -> Iterator[Place]:
    """All steps in lists below; the document and its sections know only their keys."""
    if len(trail) > 1 or isinstance(node, Sequence):
        yield from _steps(node, trail, deep=True)


def _steps(node: Node, trail: Trail, *, deep: bool) -> Iterator[Place]:
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from _step(item, (*trail, index), deep)
    elif isinstance(node, Mapping):
        for index, (key, value) in enumerate(node.entries):
            below = (*trail, index)
            if key.value == "shortcut" and isinstance(value, Mapping):
                yield from (replace(place, is_step=True) for place in _near(value, below))
            if key.value in _BODIES or not isinstance(value, Sequence) or _is_body(value):
                yield from _steps(value, below, deep=deep)


def _step(item: Node, trail: Trail, deep: bool) -> Iterator[Place]:
    if isinstance(item, Sequence):
        yield from _steps(item, trail, deep=deep)
    parts = step_parts(item)
    if parts is None:
        return
    key, value = parts
    name = str(key.value)
    inside = (*trail, 0)
    for word in dict.fromkeys((name, *(word.strip() for word in name.split(",")))):
        yield Place(word, trail, key.span, True, item if value is None else value, inside)
    if value is not None and (deep or name in _NAMELESS):
        yield from _steps(value, inside, deep=deep)


def _is_body(node: Sequence) -> bool:
    """Whether a list holds steps, at least one of them with a value; `[512, null]` does not."""
    some = any(isinstance(item, Mapping) for item in node.items)
    return some and all(step_parts(item) for item in node.items)


def _block_of(node: Node, root: Mapping) -> str | None:
    """The block that a step runs, where it is one of the document."""
    blocks = root.get("blocks")
    word = (node.get("block") or node.get("op")) if isinstance(node, Mapping) else node
    if not (isinstance(blocks, Mapping) and isinstance(word, Scalar) and isinstance(word.value, str)):
        return None
    return word.value if blocks.key(word.value) is not None else None
