"""Arguments of a component: each node read as its slot says, then checked by the component's model."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from archspec.components.base import Component
from archspec.components.elsewhere import field_hint, field_meant
from archspec.components.slots import Slot
from archspec.errors import Diagnostic, LoweringError, Span
from archspec.lowering.faults import Broken, located
from archspec.lowering.frame import Frame
from archspec.lowering.values import READERS, value_of
from archspec.spec.names import short
from archspec.spec.node import Mapping, Node, Scalar, kind

Fields: TypeAlias = dict[str, FieldInfo]

MAX_UNKNOWN = 20
_NUMBERS = ("int", "real", "extent")


def read_arguments(frame: Frame, word: type[Component], args: Mapping, span: Span) -> Component:
    """A component with all its fields; every finding of its arguments at once.

    Raises `LoweringError`, `Broken`.
    """
    name = word.words[0]
    given = args if word.source else args.without("in")
    return word(**_fields(frame, word, given, name, span, () if word.source else ("in",)))


def _fields(
    frame: Frame, model: type[BaseModel], args: Mapping, name: str, span: Span, extra: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The values of a model's fields; `extra` are keys that are read elsewhere."""
    fields = slots(model)
    found, meant = _unknown(fields, args, name, extra)
    values: dict[str, Any] = {}
    broken = False
    for key, node in args.entries:
        field = fields.get(str(key.value))
        try:
            if field is not None:
                values[str(key.value)] = read_field(frame, field, node, str(key.value))
        except Broken:
            broken = True
        except LoweringError as error:
            found += error.diagnostics
    required = [key for key, field in fields.items() if field.is_required() and args.key(key) is None]
    found += [
        Diagnostic("S002", f"{name} needs '{key}'", span, _example(key, fields[key]))
        for key in required
        if key not in meant
    ]
    if found:
        raise LoweringError(*found)
    if broken:
        raise Broken
    return values


def _unknown(
    fields: Fields, args: Mapping, name: str, extra: tuple[str, ...]
) -> tuple[list[Diagnostic], set[str | None]]:
    """Findings about arguments that do not exist, and the ones that were probably meant."""
    options = (*extra, *fields)
    unknown = [key for key, _ in args.entries if key.value not in fields][:MAX_UNKNOWN]
    found = [
        Diagnostic(
            "S001",
            f"unknown argument '{short(str(key.value))}' of {name}",
            key.span,
            _no_input(name) if key.value == "in" else field_hint(str(key.value), options),
        )
        for key in unknown
    ]
    return found, {field_meant(str(key.value), options) for key in unknown}


def _no_input(name: str) -> str:
    return f"'{name}' reads no value that flows: leave it out"


def slots(model: type[BaseModel]) -> Fields:
    """Fields by the name that is written in a spec."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _example(name: str, field: FieldInfo) -> str:
    slot, pieces = _slot(field)
    words = _words(pieces)
    what = f"one of: {', '.join(words)}" if words else _KINDS.get(slot.kind if slot else "", "a value")
    return f"add '{name}: …', {what}"


_KINDS = {
    "int": "a whole number",
    "real": "a number",
    "tensor": "the name of a step",
    "text": "a text",
    "extents": "a list of sizes",
    "mask": "a condition over b, h, q and k",
    "flag": "true or false",
}


def _slot(field: FieldInfo) -> tuple[Slot | None, tuple[Any, ...]]:
    """The field's slot, and the alternatives of its annotation."""
    pieces = tuple(_pieces(field.annotation))
    marks = (*field.metadata, *(mark for piece in pieces for mark in getattr(piece, "__metadata__", ())))
    return next((mark for mark in marks if isinstance(mark, Slot)), None), pieces


def _pieces(annotation: Any) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) is Annotated:
        yield from _pieces(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _pieces(part)


def _words(pieces: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(word for piece in pieces if get_origin(piece) is Literal for word in get_args(piece))


def read_field(frame: Frame, field: FieldInfo, node: Node, name: str) -> Any:
    """One argument.

    Raises `LoweringError` at the node, `Broken`.
    """
    slot, pieces = _slot(field)
    if isinstance(node, Scalar) and node.value is None and not node.quoted:
        return _absent(node, name, optional=type(None) in pieces, required=field.is_required())
    words = _words(pieces)
    nested = next((p for p in pieces if isinstance(p, type) and issubclass(p, BaseModel)), None)
    if nested is not None:
        return _nested(frame, nested, node, name)
    slot = slot or Slot("word" if words else "text")
    with located(node, name):
        if type(None) in pieces and slot.kind in _NUMBERS and value_of(frame, node) is None:
            return None  # a param that is null, or an expression that gives it
        return READERS[slot.kind](frame, node, slot, words)


def _absent(node: Scalar, name: str, *, optional: bool, required: bool) -> None:
    if not optional:
        hint = "give it a value" if required else "leave it out to take its default"
        raise LoweringError(Diagnostic("S003", f"'{name}' cannot be null", node.span, hint))


def _nested(frame: Frame, model: type[BaseModel], node: Node, name: str) -> BaseModel:
    if not isinstance(node, Mapping):
        hint = "write '{}' to take all defaults"
        message = f"'{name}': expected a mapping, found {kind(node)}"
        raise LoweringError(Diagnostic("S003", message, node.span, hint))
    return model(**_fields(frame, model, node, name, node.span))
