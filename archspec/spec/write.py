"""Nodes as YAML text that loads back to the same values.

Collections of the two upper levels stand in block style. Below, what holds no list of steps and fits on a
line is written in braces or brackets. Numbers keep the form they were written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from archspec.spec.node import Mapping as Table
from archspec.spec.node import Node, Scalar, Sequence
from archspec.spec.yaml_scalar import resolve_plain

WIDTH = 110
_NO_COMMENTS: Mapping[str, str] = MappingProxyType({})
# A plain scalar: no sign of YAML in front, no `: ` and no ` #` inside, nothing that ends a flow value.
_PLAIN = re.compile(r"[A-Za-z0-9_./+-].*")
_BROKEN = re.compile(r":(\s|$)|\s#|\s$|^(-|---|\.\.\.)(\s|$)")
_FLOW_SIGNS = re.compile(r"[,\[\]{}]|:$")


def write(document: Table, comments: Mapping[str, str] = _NO_COMMENTS) -> str:
    """A document, sections apart. `comments` maps `section.key` to what stands behind that entry's value."""
    parts = ["\n".join(_section(str(key.value), key, value, comments)) for key, value in document.entries]
    out = ""
    for (_, value), part in zip(document.entries, parts, strict=True):
        out += "\n" if out and not isinstance(value, Scalar) else ""
        out += part + "\n"
    return out


def _section(name: str, key: Scalar, value: Node, comments: Mapping[str, str]) -> Iterator[str]:
    if not isinstance(value, Table) or not value.entries:
        yield from _entry(key, value, 0, deep=False)
        return
    yield f"{_key(key, False)}:"
    for inner, below in value.entries:
        *lines, last = _entry(inner, below, 2, deep=True)
        comment = comments.get(f"{name}.{inner.value}")
        yield from (*lines, f"{last}  # {comment}" if comment else last)


def _entry(key: Scalar, value: Node, indent: int, *, deep: bool) -> Iterator[str]:
    """`key: value`, on one line or with the value's lines below; `deep`: braces are allowed."""
    head = f"{' ' * indent}{_key(key, False)}:"
    if isinstance(value, Scalar):
        yield f"{head} {_scalar(value, False)}"
    elif not _children(value):
        yield f"{head} {_flow(value)}"
    elif deep and (line := _one_line(head, value)):
        yield line
    else:
        yield head
        yield from _block(value, indent + 2)


def _block(value: Node, indent: int) -> Iterator[str]:
    if isinstance(value, Table):
        for key, below in value.entries:
            yield from _entry(key, below, indent, deep=True)
    elif isinstance(value, Sequence):
        for item in value.items:
            yield from _item(item, indent)


def _item(item: Node, indent: int) -> Iterator[str]:
    """`- value`; a mapping begins behind the dash."""
    dash = f"{' ' * indent}-"
    if isinstance(item, Scalar) or not _children(item):
        yield f"{dash} {_scalar(item, False) if isinstance(item, Scalar) else _flow(item)}"
    elif isinstance(item, Sequence):
        yield _one_line(dash, item) or "\n".join([dash, *_block(item, indent + 2)])
    else:
        first, *rest = _block(item, indent + 2)
        yield f"{dash}{first[indent + 1 :]}"
        yield from rest


def _one_line(head: str, value: Node) -> str | None:
    """The value in flow style behind `head`, if it fits and holds no steps."""
    line = f"{head} {_flow(value)}"
    return line if len(line) <= WIDTH and not _has_steps(value) else None


def _has_steps(node: Node) -> bool:
    """Whether a list of mappings is in it."""
    steps = isinstance(node, Sequence) and any(isinstance(item, Table) for item in node.items)
    return steps or any(_has_steps(child) for child in _children(node))


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Table):
        return tuple(value for _, value in node.entries)
    return node.items if isinstance(node, Sequence) else ()


def _flow(node: Node) -> str:
    if isinstance(node, Table):
        return "{" + ", ".join(f"{_key(key, True)}: {_flow(value)}" for key, value in node.entries) + "}"
    if isinstance(node, Sequence):
        return "[" + ", ".join(map(_flow, node.items)) + "]"
    return _scalar(node, True)


def _key(key: Scalar, flow: bool) -> str:
    """A key; an integer stands as its digits."""
    text = str(key.value)
    return text if isinstance(resolve_plain(text), int) and text.isdigit() else _scalar(key, flow)


def _scalar(node: Scalar, flow: bool) -> str:
    if not isinstance(node.value, str):
        return "null" if node.value is None else node.text
    plain = not node.quoted and _is_plain(node.value, flow)
    return node.value if plain else _quoted(node.value)


def _is_plain(text: str, flow: bool) -> bool:
    if not text.isprintable() or not _PLAIN.fullmatch(text) or _BROKEN.search(text):
        return False
    return resolve_plain(text) == text and not (flow and _FLOW_SIGNS.search(text))


def _quoted(text: str) -> str:
    if '"' in text and "\\" not in text and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    known = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}.get(character)
    return known or (character if character.isprintable() else f"\\U{ord(character):08X}")
