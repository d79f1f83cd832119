"""`patch`: the verbs that change a document at a named path that must exist.

`{at: PATH, set: {…}}` merges arguments into a step (short forms become mappings first) or keys into a
section; `{at: PATH, replace: VALUE}`, `{at: PATH, delete: true}`; `{after: PATH, insert: {name: …}}` and
`before`. Verbs apply in order, each to the result of the one before.
"""

from __future__ import annotations

from msgspec import Struct

from archspec.errors import Collector, SpecError, did_you_mean
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind
from archspec.spec.patch_edit import delete_from, insert_into, measure, refuse, replace_in, set_in
from archspec.spec.patch_path import Place, edit, locate, step_parts, value_at
from archspec.spec.yaml_build import MAX_DEPTH

MAX_VERBS = 256

_WHERE = ("at", "after", "before")
_ACTIONS = {"at": ("set", "replace", "delete"), "after": ("insert",), "before": ("insert",)}
_WORDS = (*_WHERE, "set", "replace", "delete", "insert")
_FORM = "write {at: PATH, set | replace | delete: …} or {after | before: PATH, insert: {name: …}}"


class _Verb(Struct, frozen=True):
    where: str
    path: Scalar
    action: str
    value: Node


def apply_patch(root: Mapping, patch: Node) -> Mapping:
    """The document after all verbs.

    Raises `SpecError` with the findings of all verbs: `P006` a verb that is not well formed, `P007` and
    `P008` from its path, `P009` a change that does not fit its place, `P010` a limit.
    """
    if not isinstance(patch, Sequence):
        raise refuse("P006", f"'patch' takes a list of verbs, not {kind(patch)}", patch.span, _FORM)
    if len(patch.items) > MAX_VERBS:
        message = f"'patch' has {len(patch.items)} verbs, more than {MAX_VERBS}"
        raise refuse("P010", message, patch.span, "write the document out instead")
    found = Collector()
    for item in patch.items:
        try:
            root = _apply(root, _verb(item))
        except SpecError as error:
            found.extend(error)
    found.raise_if_any()
    return root


def _verb(item: Node) -> _Verb:
    if not isinstance(item, Mapping):
        raise refuse("P006", f"a verb is a mapping, not {kind(item)}", item.span, _FORM)
    for key, _ in item.entries:
        if key.value not in _WORDS:
            hint = did_you_mean(str(key.value), _WORDS) or _FORM
            raise refuse("P006", f"'{key.value}' is not a word of 'patch'", key.span, hint)
    where = [(str(key.value), value) for key, value in item.entries if key.value in _WHERE]
    change = [(str(key.value), value) for key, value in item.entries if key.value not in _WHERE]
    if len(where) != 1 or len(change) != 1 or change[0][0] not in _ACTIONS[where[0][0]]:
        raise refuse("P006", "a verb takes one place and one change", item.span, _FORM)
    return _Verb(where[0][0], _path(*where[0]), change[0][0], _checked(*change[0]))


def _path(where: str, path: Node) -> Scalar:
    if isinstance(path, Scalar) and isinstance(path.value, str) and all(path.value.split(".")):
        return path
    raise refuse("P006", f"'{where}' takes a path", path.span, "write names with dots: blocks.block.attn")


def _checked(action: str, value: Node) -> Node:
    if action == "delete" and not (isinstance(value, Scalar) and value.value is True):
        raise refuse("P006", "'delete' takes only true", value.span, "leave the verb out to keep it")
    if action == "set" and not (isinstance(value, Mapping) and value.entries):
        message = f"'set' takes keys with values, not {_noun(value)}"
        raise refuse("P006", message, value.span, "write set: {name: value}")
    if action == "insert" and step_parts(value) is None:
        raise refuse("P006", "'insert' takes one step", value.span, "write insert: {name: value}")
    return value


def _noun(value: Node) -> str:
    return "an empty mapping" if isinstance(value, Mapping) else kind(value)


def _apply(root: Mapping, verb: _Verb) -> Mapping:
    place = locate(root, verb.path)
    if len(place.trail) + measure(verb.value)[0] + 1 > MAX_DEPTH:
        message = f"the result would nest more than {MAX_DEPTH} levels deep"
        raise refuse("P010", message, verb.value.span, "move the inner part into a block")
    changed = _changed(root, place, verb)
    assert isinstance(changed, Mapping)
    return changed


def _changed(root: Mapping, place: Place, verb: _Verb) -> Node:
    outer, index = place.trail[:-1], place.trail[-1]
    in_list = isinstance(value_at(root, outer), Sequence)
    value = verb.value
    match verb.action:
        case "delete":
            return edit(root, outer, lambda parent: delete_from(parent, index))
        case "insert":
            after = int(verb.where == "after")
            return edit(root, outer, lambda parent: insert_into(parent, index + after, value))
        case "replace":
            return edit(root, place.trail, lambda old: replace_in(old, value, in_list=in_list))
        case _:
            assert isinstance(value, Mapping)
            is_step = place.is_step
            return edit(root, place.trail, lambda old: set_in(old, value, in_list=in_list, is_step=is_step))
