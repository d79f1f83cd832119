"""A resolved document to a checked one: keys, kinds and names, each finding where it stands."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from archspec.errors import Collector, Span, did_you_mean
from archspec.spec.models import Block, Document, Expect, InputDecl
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind, plain

RESERVED = frozenset({"past", "width", "i", "last", "first", "x", "self", "cache"}) - {"x"}
_MODELS: dict[str, type[BaseModel]] = {"blocks": Block, "expect": Expect, "inputs": InputDecl}


def validate(node: Node) -> Document:
    """Check a document's outline.

    Raises `SpecError`: S001 unknown key, S002 missing key, S003 wrong kind, S004 bad name.
    """
    found = Collector()
    if not isinstance(node, Mapping):
        found.add("S003", f"a spec is a mapping, not {kind(node)}", node.span)
        found.raise_if_any()
    assert isinstance(node, Mapping)
    document = None
    try:
        document = Document.model_validate(plain(node))
    except ValidationError as error:
        for entry in error.errors():
            _report(found, node, entry)
    _check_names(found, node)
    found.raise_if_any()
    assert document is not None
    return document


def _report(found: Collector, node: Mapping, error: Any) -> None:
    path = tuple(str(part) for part in error["loc"])
    target, key, rest = locate(node, path)
    if error["type"] == "extra_forbidden":
        options = _keys_at(path)
        found.add("S001", f"unknown key '{path[-1]}'", key or target.span, did_you_mean(path[-1], options) or _list(options))
    elif error["type"] == "missing":
        found.add("S002", f"key '{path[-1]}' is missing", _head(target), _MISSING.get(path[-1]))
    elif error["type"] == "string_pattern_mismatch":
        found.add("S004", f"'{error['input']}' is not a name", key if "[key]" in rest else target.span, "letters, digits and _, a letter first")
    elif not _is_noise(path, target, error):
        found.add("S003", f"{_what(path)}: {_plain_message(error, target)}", target.span, _HINTS.get(path[0]))


def _is_noise(path: tuple[str, ...], target: Node, error: Any) -> bool:
    """Of a union's complaints, those about the alternatives the writer did not choose."""
    branch = next((p for p in reversed(path) if p in ("str", "InputDecl", "dict[str,any]") or p.startswith(("dict[", "list["))), None)
    chose = {Mapping: ("InputDecl", "dict["), Sequence: ("list[",), Scalar: ("str",)}[type(target)]
    return branch is not None and not branch.startswith(chose) and error["type"].endswith("_type")


def _plain_message(error: Any, target: Node) -> str:
    expected = {
        "dict_type": "a mapping", "list_type": "a list", "string_type": "a string", "int_type": "an integer",
        "bool_type": "true or false", "model_type": "a mapping", "bool_parsing": "true or false", "int_parsing": "an integer",
        "literal_error": "1", "string_too_long": "a shorter text", "float_type": "a number",
    }  # fmt: skip
    return f"expected {expected.get(error['type'], 'something else')}, found {kind(target)}"


def _what(path: tuple[str, ...]) -> str:
    shown = [p for p in path if not p.startswith(("dict[", "list[", "[key]")) and p not in ("str", "InputDecl", "int", "bool", "float")]
    return "'" + ".".join(shown) + "'"


def locate(node: Node, path: tuple[str, ...]) -> tuple[Node, Span | None, tuple[str, ...]]:
    """The deepest node on `path`, the span of its key, and the part of the path that names no node."""
    key: Span | None = None
    for index, part in enumerate(path):
        if isinstance(node, Mapping):
            entry = next(((k, v) for k, v in node.entries if k.value == part), None)
            if entry is None:
                if part in ("str", "InputDecl") or "[" in part:
                    continue
                return node, key if index else None, path[index:]
            key, node = entry[0].span, entry[1]
        elif isinstance(node, Sequence) and part.isdigit() and int(part) < len(node.items):
            node = node.items[int(part)]
    return node, key, path[-1:] if path and path[-1] == "[key]" else ()


def _keys_at(path: tuple[str, ...]) -> tuple[str, ...]:
    model = next((_MODELS[p] for p in reversed(path[:-1]) if p in _MODELS), Document)
    if len(path) == 1:
        model = Document
    return tuple(f.alias or name for name, f in model.model_fields.items())


def _list(options: tuple[str, ...]) -> str:
    return "known here: " + ", ".join(options)


def _head(node: Node) -> Span:
    span = node.span
    return Span(span.source, span.line, span.column, span.line, span.column + 1)


_MISSING = {
    "archspec": "start the file with 'archspec: 1'",
    "model": "add 'model:' with a list of steps",
    "inputs": "add 'inputs:', such as 'input_ids: int64[B, S]'",
    "outputs": "add 'outputs:', such as '{logits: lm_head}'",
    "name": "give the model a name",
    "body": "a block needs 'body:' with a list of steps",
}
_HINTS = {"model": "write a list of steps, each '- name: op'", "inputs": "write a type, such as 'int64[B, S]'"}


def _check_names(found: Collector, node: Mapping) -> None:
    """Names end up in emitted source: they must be usable there."""
    for section in ("params", "blocks", "inputs", "outputs", "losses"):
        for key in _section_keys(node.get(section)):
            text = str(key.value)
            if keyword.iskeyword(text) or keyword.issoftkeyword(text) and text != "type":
                found.add("S004", f"'{text}' is a word of Python and cannot be a name", key.span, f"try '{text}_'")
            elif text in RESERVED:
                found.add("S004", f"'{text}' has a meaning of its own here and cannot be a name", key.span)
    _check_hidden_dim(found, node)


def _check_hidden_dim(found: Collector, node: Mapping) -> None:
    for key in _section_keys(node.get("params")):
        if key.value == "hidden_dim":
            found.add("S004", "'hidden_dim' means two things in this field", key.span, "write 'hidden_size' or 'intermediate_size'")


def _section_keys(node: Node | None) -> Iterator[Scalar]:
    if isinstance(node, Mapping):
        for key, _ in node.entries:
            yield key
