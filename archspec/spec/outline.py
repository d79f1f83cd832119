"""A document against the models of its outline: each node judged where it stands.

The models say what may be written; where they leave a choice, the kind of the node says what was chosen.
Bodies are left to `tree.py`, names to `validate.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, cast, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import fields, replace

from archspec.errors import Collector, Span, did_you_mean
from archspec.spec.limits import stop_if_many
from archspec.spec.models import Body, Identifier, ParamValue
from archspec.spec.names import boolean_hint, refusal, short
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind

Model: TypeAlias = type[Struct]


class Key(Struct, frozen=True):
    """A key of a model: what may stand there, without what is said of it, and its limits."""

    hint: Any
    required: bool
    limits: tuple[Meta, ...]


@cache
def keys_of(model: Model) -> dict[str, Key]:
    """The keys of a model by name."""
    return {field.encode_name: _key(field.type, required=field.required) for field in fields(model)}


def _key(annotation: Any, *, required: bool) -> Key:
    base, *marks = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    limits = tuple(mark for mark in marks if isinstance(mark, Meta))
    return Key(Annotated[(base, *limits)] if limits else base, required, limits)


class Spot(Struct, frozen=True):
    """Where a node stands: the keys that lead to it, and the span of the last one."""

    path: tuple[str, ...]
    key: Span

    def below(self, key: Scalar) -> Spot:
        return Spot((*self.path, str(key.value)), key.span)

    def __str__(self) -> str:
        return f"'{'.'.join(map(short, self.path))}'"


def check_outline(node: Mapping, model: Model, found: Collector) -> Mapping:
    """Adds S001 unknown key, S002 missing key, S003 wrong kind, S006 unknown word to `found`.

    Gives the document with misspelt keys as they were meant, so that what stands below them is still judged.
    """
    span = node.span
    head = Span(span.source, span.line, span.column, span.line, span.column + 1)
    outline = _Outline(found)
    outline.model(node, model, Spot((), head))
    return _repaired(node, outline.meant) if outline.meant else node


def _repaired(node: Mapping, meant: dict[Span, str]) -> Mapping:
    entries = (
        (
            replace(key, value=meant.get(key.span, key.value)),
            _repaired(value, meant) if isinstance(value, Mapping) else value,
        )
        for key, value in node.entries
    )
    return replace(node, entries=tuple(entries))


class _Outline:
    def __init__(self, found: Collector) -> None:
        self.found = found
        self.meant: dict[Span, str] = {}

    def model(self, node: Mapping, model: Model, spot: Spot) -> None:
        known = keys_of(model)
        here = set(node.keys())
        for key, value in node.entries:
            stop_if_many(self.found)
            name = str(key.value) if key.value in known else self._unknown(key, tuple(known), here)
            if name is not None:
                here.add(name)
                self.field(value, known[name], spot.below(key))
        for name, expected in known.items():
            if expected.required and name not in here:
                self.found.add("S002", f"key '{name}' is missing", spot.key, _MISSING.get(name))

    def _unknown(self, key: Scalar, options: tuple[str, ...], here: set[str]) -> str | None:
        """Reports an unknown key; the absent one that was probably meant."""
        word = str(key.value)
        close = did_you_mean(word, options)
        hint = close or f"known here: {', '.join(options)}"
        self.found.add("S001", f"unknown key '{short(word)}'", key.span, hint)
        meant = next((name for name in options if close == f"did you mean '{name}'?"), None)
        if meant is None or meant in here:
            return None
        self.meant[key.span] = meant
        return meant

    def field(self, node: Node, key: Key, spot: Spot) -> None:
        if isinstance(node, Scalar) and node.value is None and not node.quoted and key.hint != ParamValue:
            advice = "give it a value" if key.required else "leave the key out, or give it a value"
            self.found.add("S003", f"{spot} is null", node.span, advice)
        else:
            self.value(node, key.hint, spot)
            self._limits(node, key.limits, spot)
            if isinstance(node, Scalar) and isinstance(node.value, str) and Identifier in get_args(key.hint):
                self._name(node, Identifier)

    def value(self, node: Node, hint: Any, spot: Spot) -> None:
        if hint == Body:
            return
        choices = _alternatives(hint)
        chosen = next((choice for choice in choices if _fits(node, choice)), None)
        if chosen is None:
            wanted = _listed(list(dict.fromkeys(filter(None, map(_called, choices)))))
            message = f"{spot}: expected {wanted}, found {kind(node)}"
            self.found.add("S003", message, node.span, _hint(node, spot) or f"write {wanted}")
        elif get_origin(chosen) is Literal:
            self._word(node, get_args(chosen), spot)
        elif isinstance(node, Mapping):
            self._mapping(node, chosen, spot)
        elif isinstance(node, Sequence):
            for item in node.items:
                stop_if_many(self.found)
                self.value(item, (get_args(chosen) or (Any,))[0], spot)

    def _mapping(self, node: Mapping, chosen: Any, spot: Spot) -> None:
        if isinstance(chosen, type) and issubclass(chosen, Struct):
            self.model(node, chosen, spot)
            return
        names, inner = get_args(chosen) or (str, Any)
        for key, value in node.entries:
            stop_if_many(self.found)
            self._name(key, names)
            self.value(value, inner, spot.below(key))

    def _name(self, node: Scalar, hint: Any) -> None:
        reason = refusal(str(node.value)) if hint == Identifier else None
        if reason:
            self.found.add("S004", reason[0], node.span, reason[1])

    def _word(self, node: Node, words: tuple[object, ...], spot: Spot) -> None:
        value = node.value if isinstance(node, Scalar) else None
        if value in words:
            return
        if spot.path == ("archspec",):
            message, hint = f"version {short(str(value))} of the language is not known", "write 'archspec: 1'"
            self.found.add("S003", message, node.span, hint)
            return
        known = [str(word) for word in words]
        hint = did_you_mean(str(value), known) or f"one of: {', '.join(known)}"
        self.found.add("S006", f"{spot}: unknown word '{short(str(value))}'", node.span, hint)

    def _limits(self, node: Node, limits: tuple[Meta, ...], spot: Spot) -> None:
        most = next((m.max_length for m in limits if m.max_length), None)
        text = node.value if isinstance(node, Scalar) else None
        if most is not None and isinstance(text, str) and len(text) > most and spot.path != ("name",):
            message = f"{spot} has {len(text):,} characters, more than {most:,}"
            self.found.add("S003", message, node.span, "say it shorter")
        least = next((m.min_length for m in limits if m.min_length), 0)
        if isinstance(node, Mapping) and len(node.entries) < least:
            self.found.add("S002", f"{spot} is empty", node.span, _hint(node, spot))


@cache
def _alternatives(hint: Any) -> tuple[Any, ...]:
    return tuple(_choices(hint))


def _choices(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Annotated:
        yield from _choices(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for part in get_args(hint):
            yield from _choices(part)
    else:
        yield hint


def _fits(node: Node, choice: Any) -> bool:
    """Whether a node is of the kind that an alternative of a model asks for."""
    if choice is Any:
        return True
    if get_origin(choice) is Literal:
        return isinstance(node, Scalar) and type(node.value) is type(get_args(choice)[0])
    base = get_origin(choice) or choice
    if isinstance(node, Mapping):
        return base is dict or issubclass(base, Struct)
    if isinstance(node, Sequence):
        return base is list
    return type(node.value) is base or (base is float and type(node.value) is int)


def _called(choice: Any) -> str:
    """An alternative in a reader's words; `int` stands beside `float` in the models, and says no more."""
    if get_origin(choice) is Literal:
        first: object = get_args(choice)[0]
        return "a word" if isinstance(first, str) else str(first)
    base = cast("type[object]", get_origin(choice) or choice)
    return _KINDS.get(base.__name__, "a mapping" if issubclass(base, Struct) else "")


_KINDS = {
    "dict": "a mapping",
    "list": "a list",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
}


def _listed(words: list[str]) -> str:
    if "a number" in words and "a whole number" in words:
        words.remove("a whole number")
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _hint(node: Node, spot: Spot) -> str | None:
    word = boolean_hint(node.text) if isinstance(node, Scalar) else None
    inner = (part for part in reversed(spot.path[1:]) if part in _INNER)
    return word or _HINTS.get(next(inner, spot.path[0]))


_INNER = frozenset({"in", "args", "optional", "summary"})
_MISSING = {
    "archspec": "start the file with 'archspec: 1'",
    "model": "add 'model:' with a list of steps",
    "inputs": "add 'inputs:', such as 'input_ids: int64[B, S]'",
    "outputs": "add 'outputs:', such as '{logits: lm_head}'",
    "name": "give the model a name: 'name: my_model'",
    "body": "a block needs 'body:' with a list of steps",
    "type": "add 'type:', such as 'int64[B, S]' for a tensor, 'int' for an argument",
    "of": "add 'of:' with the name of a step",
    "noisy": "add 'noisy:' with the name of an input",
    "time": "add 'time:' with the name of an input",
    "signal": "add 'signal:' with one number for each step of adding noise",
    "to": "add 'to:' with the path of a parameter, such as 'wte.weight'",
}
_HINTS = {
    "archspec": "write 'archspec: 1'",
    "params": "a param is one value, such as 'hidden_size: 768'",
    "presets": "write params by preset: 'large: {hidden_size: 1024}'",
    "defaults": "write arguments by op: 'layernorm: {eps: 1e-5}'",
    "inputs": "write a type, such as 'int64[B, S]'",
    "in": "write names with types, such as 'x: \"[B, S, hidden_size]\"'",
    "args": "write 'n: int', or 'n: {type: int, default: 1}'",
    "blocks": "write a block as '{in: …, body: [steps]}'",
    "outputs": "name a step: 'logits: lm_head'",
    "tie": "write 'alias: owner', such as 'lm_head.weight: wte.weight'",
    "losses": "write 'lm: {op: cross_entropy, logits: …, target: …}'",
    "expect": "write a whole number, or sizes with 'value' or 'max': {B: 1, S: 1024, max: 1000000}",
    "run": "keys: images, tokens, sample",
    "optional": "write true or false",
    "summary": "quote a text that YAML reads as something else",
    "name": "quote a name that YAML reads as something else",
}
