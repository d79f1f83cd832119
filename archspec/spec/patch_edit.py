"""The changes a patch makes to nodes. All of them give new nodes and keep the spans of the parts."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from archspec.errors import Diagnostic, Span, SpecError
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind
from archspec.spec.patch_path import step_parts

_OP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")


def refuse(code: str, message: str, span: Span, hint: str) -> SpecError:
    """A `SpecError` with one finding."""
    return SpecError(Diagnostic(code, message, span, hint))


def _above(below: Node | None, above: Node) -> Node:
    return above


def overlay(below: Mapping, above: Mapping, combine: Callable[[Node | None, Node], Node] = _above) -> Mapping:
    """`above` on top of `below`: known keys stay in their place, new ones follow."""
    entries = {str(key.value): (key, value) for key, value in below.entries}
    for key, value in above.entries:
        old = entries.get(str(key.value))
        entries[str(key.value)] = (key, combine(old[1] if old else None, value))
    return Mapping(tuple(entries.values()), above.span)


def set_in(old: Node, changes: Mapping, *, in_list: bool, is_step: bool) -> Node:
    """`old` with `changes` merged into its arguments or keys. `P009` where it takes none."""
    parts = step_parts(old) if in_list else None
    if parts is not None:
        key, value = parts
        below = Mapping((), old.span) if value is None else _arguments(value, key)
        return Mapping(((key, replace(overlay(below, changes), span=old.span)),), old.span)
    if is_step:
        return replace(overlay(_arguments(old, None), changes), span=old.span)
    if isinstance(old, Mapping):
        return replace(overlay(old, changes), span=old.span)
    raise refuse("P009", f"'set' needs a mapping here, not {kind(old)}", changes.span, "use 'replace'")


def replace_in(old: Node, new: Node, *, in_list: bool) -> Node:
    """`new` in the place of the value; a step keeps its name."""
    parts = step_parts(old) if in_list else None
    return new if parts is None else Mapping(((parts[0], new),), old.span)


def delete_from(parent: Node, index: int) -> Node:
    """The collection without one entry."""
    if isinstance(parent, Mapping):
        return replace(parent, entries=parent.entries[:index] + parent.entries[index + 1 :])
    assert isinstance(parent, Sequence)
    return replace(parent, items=parent.items[:index] + parent.items[index + 1 :])


def insert_into(parent: Node, index: int, new: Node) -> Node:
    """The collection with a step or an entry more. `P009` where it does not fit."""
    if isinstance(parent, Sequence):
        return replace(parent, items=(*parent.items[:index], new, *parent.items[index:]))
    assert isinstance(parent, Mapping)
    if not isinstance(new, Mapping):
        raise refuse("P009", "a mapping takes a key with a value", new.span, "write insert: {name: value}")
    name = new.entries[0][0]
    if parent.key(str(name.value)) is not None:
        raise refuse("P009", f"'{name.value}' is already there", name.span, "use 'replace' or 'set'")
    return replace(parent, entries=(*parent.entries[:index], *new.entries, *parent.entries[index:]))


def _arguments(value: Node, key: Scalar | None) -> Mapping:
    """A step's value in its long form: `layernorm` is `{op: layernorm}`, a list is `{body: […]}`."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Sequence):
        return _one("branches" if key and key.value == "parallel" else "body", value)
    if value.value is None:
        return Mapping((), value.span)
    if isinstance(value.value, str) and _OP_NAME.fullmatch(value.value):
        return _one("op", value)
    raise refuse("P009", f"'{value.text}' takes no arguments", value.span, "use 'replace'")


def _one(name: str, value: Node) -> Mapping:
    return Mapping(((Scalar(name, name, value.span), value),), value.span)


def measure(node: Node) -> tuple[int, int]:
    """How many collections deep a node nests, and how many nodes it has."""
    deepest, count, waiting = 0, 0, [(node, 0)]
    while waiting:
        current, depth = waiting.pop()
        count += 1
        if isinstance(current, Scalar):
            continue
        deepest = max(deepest, depth + 1)
        count += len(current.entries) if isinstance(current, Mapping) else 0
        children = (v for _, v in current.entries) if isinstance(current, Mapping) else current.items
        waiting.extend((child, depth + 1) for child in children)
    return deepest, count
