"""A resolved document to a checked one: keys, kinds and names, each finding where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from archspec.errors import Collector, SpecError
from archspec.spec.limits import stop_if_many
from archspec.spec.models import Document
from archspec.spec.names import preset_refusal, refusal, short, value_refusal
from archspec.spec.node import Mapping, Node, Scalar, kind
from archspec.spec.outline import check_outline

_MODEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")


def validate(node: Node, found: Collector) -> Mapping:
    """The document, its outline judged; misspelt keys are as they were meant.

    Adds S001 unknown key, S002 missing key, S003 wrong kind, S004 bad name, S006 unknown word to `found`.
    Raises `SpecError` where the node is no mapping: then nothing can be said about its parts.
    """
    if not isinstance(node, Mapping):
        found.add("S003", f"a spec is a mapping, not {kind(node)}", node.span, "start it with 'archspec: 1'")
        raise SpecError(*found.diagnostics)
    node = check_outline(node, Document, found)
    _check_names(found, node)
    return node


def _check_names(found: Collector, node: Mapping) -> None:
    """Names end up in emitted source: they must be usable there."""
    check_model_name(found, node.get("name"))
    for section in ("params", "inputs"):
        _check_keys(found, node.get(section), value_refusal)
    for section in ("blocks", "outputs", "graphs", "losses", "weights"):
        _check_keys(found, node.get(section), refusal)
    _check_keys(found, node.get("presets"), preset_refusal)
    for _, block in _entries(node.get("blocks")):
        if isinstance(block, Mapping):
            _check_keys(found, block.get("args"), value_refusal)
            _check_keys(found, block.get("in"), value_refusal)


def check_model_name(found: Collector, node: Node | None) -> None:
    """Adds S004 where a text cannot be the name of a model."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and not _MODEL_NAME.match(node.value):
        hint = "letters, digits, '_', '.' and '-', a letter first, 64 at most"
        found.add("S004", f"'{short(node.value)}' cannot be the name of a model", node.span, hint)


def _check_keys(
    found: Collector, section: Node | None, refused: Callable[[str], tuple[str, str] | None]
) -> None:
    for key, _ in _entries(section):
        stop_if_many(found)
        reason = refused(str(key.value))
        if reason:
            found.add("S004", reason[0], key.span, reason[1])


def _entries(node: Node | None) -> Iterator[tuple[Scalar, Node]]:
    if isinstance(node, Mapping):
        yield from node.entries
