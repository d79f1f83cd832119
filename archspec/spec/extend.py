"""`extends`: one document on top of another.

A child names one parent. What the parent says holds, except:

- `archspec`, `name`, `summary`, `source` are replaced.
- `params`, `inputs`, `outputs`, `losses`, `tie`, `blocks`, `graphs` and `expect` merge by key; `presets`,
  `defaults`, `run` and `weights` merge by key and, below it, by the keys of that entry. Deeper values are
  replaced whole: the order of `weights.hf.rename` means something, so it is not merged.
- `model` and blocks that exist change only through `patch`, which is applied after the merge.
- `expect` is the parent's only where the child changes nothing but names: the numbers of another
  model would be wrong.

Result nodes keep the spans of the document they were written in.
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from archspec.errors import Collector
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.patch import apply_patch
from archspec.spec.patch_edit import measure, overlay, refuse
from archspec.spec.use import Find, with_parts
from archspec.spec.yaml_build import MAX_DEPTH, MAX_NODES

MAX_EXTENDS = 16

_BY_KEY = frozenset({"params", "inputs", "outputs", "losses", "tie", "blocks", "graphs", "expect"})
_BY_TWO_KEYS = frozenset({"presets", "defaults", "weights", "run"})
_NAMES = frozenset({"archspec", "extends", "name", "summary", "source", "expect"})


def resolve(node: Mapping, path: Path | None, *, find: Find, part: Find | None = None) -> Mapping:
    """The document with its parents and parts merged in and patched; without `extends`, `use` and `patch`.

    `find` gives the parent's document and path for a name, the path of the document that names it,
    and where it is named; it raises where there is none. So does `part` for a part.
    Raises `SpecError`: `P001` to `P003` for `extends`, `P004` for what only a patch may change, `P005` for a
    patch of nothing, `P010` for a result past the limits, and the codes of `apply_patch` and `with_parts`.
    """
    chain = [with_parts(each, file, part or find) for each, file in _chain(node, path, find)]
    result = chain[-1]
    for child in reversed(chain[:-1]):
        result = _bounded(_child_over(child, result))
    return result


def _chain(node: Mapping, path: Path | None, find: Find) -> list[tuple[Mapping, Path | None]]:
    """The document, its parent, and so on up to the one that extends nothing, each with its path."""
    chain, seen = [(node, path)], [_identity(node, path)]
    while (name := node.get("extends")) is not None:
        parent = _parent_name(name)
        node, path = find(parent, path, name.span)
        if (identity := _identity(node, path)) in seen:
            circle = " → ".join([*seen[seen.index(identity) :], identity])
            raise refuse("P002", f"'extends' runs in a circle: {circle}", name.span, "break the circle")
        chain.append((node, path))
        seen.append(identity)
        if len(chain) > MAX_EXTENDS + 1:
            message = f"more than {MAX_EXTENDS} documents extend each other"
            raise refuse("P003", message, name.span, "write some of them out")
    lonely = node.key("patch")
    if lonely is not None:
        raise refuse("P005", "'patch' needs 'extends'", lonely.span, "change the document itself")
    return chain


def _parent_name(name: Node) -> str:
    if isinstance(name, Scalar) and isinstance(name.value, str) and name.value:
        return name.value
    raise refuse("P001", "'extends' takes the name of one document", name.span, "write 'extends: other.yaml'")


def _identity(node: Mapping, path: Path | None) -> str:
    return str(path.resolve()) if path is not None else node.span.source.name


def _child_over(child: Mapping, base: Mapping) -> Mapping:
    _refuse_redefinition(child, base)
    if not set(child.keys()) <= _NAMES:
        base = base.without("expect")
    sections = {str(key.value): _merge(str(key.value), base, value) for key, value in child.entries}
    above = tuple((key, sections[str(key.value)]) for key, _ in child.without("extends", "patch").entries)
    merged = overlay(base, replace(child, entries=above))
    patch = child.get("patch")
    return merged if patch is None else apply_patch(merged, patch)


def _refuse_redefinition(child: Mapping, base: Mapping) -> None:
    found = Collector()
    model, blocks, below = child.key("model"), child.get("blocks"), base.get("blocks")
    hint = "change it with 'patch'"
    if model is not None and base.key("model") is not None:
        found.add("P004", "'model' is already defined by the parent", model.span, hint)
    if isinstance(blocks, Mapping) and isinstance(below, Mapping):
        changed = (name for name, block in blocks.entries if below.get(str(name.value)) not in (None, block))
        for name in changed:  # both may use one part
            found.add("P004", f"the block '{name.value}' is already defined by the parent", name.span, hint)
    found.raise_if_any()


def _merge(section: str, base: Mapping, above: Node) -> Node:
    levels = 2 if section in _BY_TWO_KEYS else 1 if section in _BY_KEY else 0
    return _merge_levels(base.get(section), above, levels)


def _merge_levels(below: Node | None, above: Node, levels: int) -> Node:
    if levels == 0 or not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    return overlay(below, above, lambda old, new: _merge_levels(old, new, levels - 1))


def _bounded(merged: Mapping) -> Mapping:
    depth, count = measure(merged)
    if depth > MAX_DEPTH or count > MAX_NODES:
        message = f"the merged document has {count:,} values, {depth} levels deep"
        raise refuse("P010", message, merged.span, f"the limits are {MAX_NODES:,} and {MAX_DEPTH}")
    return merged
