"""`use`: blocks from other files, under their own names.

A part is a document of blocks without a model. Its blocks are closed: they see their arguments and inputs,
never the params or the defaults of the document that uses them, so they mean the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from msgspec.structs import replace

from archspec.errors import Collector, Span
from archspec.spec.models import Part
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind
from archspec.spec.outline import check_outline
from archspec.spec.patch_edit import overlay, refuse

MAX_PARTS = 64

Find: TypeAlias = Callable[[str, Path | None, Span], tuple[Mapping, Path | None]]
Blocks: TypeAlias = dict[str, tuple[Scalar, Node]]


def with_parts(node: Mapping, path: Path | None, find: Find) -> Mapping:
    """The document with the blocks of the parts it uses, and of the parts these use; without `use`.

    `find` gives a part's document and path for a name, the path of the document that names it, and where it
    is named. Raises `SpecError`: `P012` where two parts, or a part and the document, have a block of one
    name, `P013` for too many parts, and the codes of the outline for what is wrong in a part.
    """
    if node.get("use") is None:
        return node
    own = node.get("blocks")
    below = own if isinstance(own, Mapping) else Mapping((), node.span)
    blocks: Blocks = {}
    _gather(node, path, find, blocks, set())
    for key, _ in below.entries:
        if key.value in blocks:
            raise _twice(str(key.value), key.span, blocks[str(key.value)][0].span)
    if own is not None and own is not below:  # no mapping: the outline says so
        return node.without("use")
    key = node.key("blocks") or Scalar("blocks", "blocks", node.span)
    return _before_model(
        node.without("use", "blocks"), key, overlay(Mapping(tuple(blocks.values()), node.span), below)
    )


def _before_model(node: Mapping, key: Scalar, blocks: Mapping) -> Mapping:
    keys = node.keys()
    at = keys.index("model") if "model" in keys else len(keys)
    return replace(node, entries=(*node.entries[:at], (key, blocks), *node.entries[at:]))


def _gather(node: Mapping, path: Path | None, find: Find, blocks: Blocks, seen: set[str]) -> None:
    """Adds the blocks of all parts a document names, each part once."""
    for name in _names(node):
        part, file = find(str(name.value), path, name.span)
        identity = str(file) if file else part.span.source.name
        if identity in seen:
            continue
        seen.add(identity)
        if len(seen) > MAX_PARTS:
            raise refuse("P013", f"more than {MAX_PARTS} parts are used", name.span, "use fewer of them")
        for key, block in _blocks(part):
            if key.value in blocks:
                raise _twice(str(key.value), name.span, blocks[str(key.value)][0].span)
            blocks[str(key.value)] = key, block
        _gather(part, file, find, blocks, seen)


def _names(node: Mapping) -> tuple[Scalar, ...]:
    """What stands under `use`: names. Anything else is left to the outline."""
    listed = node.get("use")
    if listed is None:
        return ()
    items = listed.items if isinstance(listed, Sequence) else ()
    names = tuple(item for item in items if isinstance(item, Scalar) and isinstance(item.value, str))
    if not names or len(names) != len(items):
        message = f"'use' takes a list of parts, not {kind(listed)}"
        raise refuse("P001", message, listed.span, "write 'use: [rope, attention_latent]'")
    return names


def _blocks(part: Mapping) -> tuple[tuple[Scalar, Node], ...]:
    """The blocks of a part, each marked as closed."""
    found = Collector()
    part = check_outline(part, Part, found)
    found.raise_if_any()
    section = part.get("blocks")
    entries = section.entries if isinstance(section, Mapping) else ()
    return tuple((key, _closed(block)) for key, block in entries)


def _closed(block: Node) -> Node:
    if not isinstance(block, Mapping) or block.get("closed") is not None:
        return block
    mark = Scalar("closed", "closed", block.span), Scalar(True, "true", block.span)
    return replace(block, entries=(mark, *block.entries))


def _twice(name: str, span: Span, first: Span) -> Exception:
    place = f"{first.source.name}:{first.line}"
    return refuse("P012", f"there are two blocks '{name}', the other in {place}", span, "rename one of them")
