"""Arguments of a component: each node read as the slot of its argument says."""

from __future__ import annotations

from typing import Any

from archspec.components.base import Component
from archspec.components.elsewhere import field_hint, field_meant
from archspec.components.fields import Argument, Fields, arguments
from archspec.errors import Diagnostic, LoweringError, Span
from archspec.lowering.faults import Broken, located
from archspec.lowering.frame import Frame
from archspec.lowering.values import READERS, value_of
from archspec.spec.names import short
from archspec.spec.node import Mapping, Node, Scalar, kind

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
    frame: Frame, model: type[Fields], args: Mapping, name: str, span: Span, extra: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The values of a model's fields; `extra` are keys that are read elsewhere."""
    known = arguments(model)
    found, meant = _unknown(tuple(known), args, name, extra)
    values: dict[str, Any] = {}
    broken = False
    for key, node in args.entries:
        argument = known.get(str(key.value))
        try:
            if argument is not None and not _own_start(frame, argument, node):
                values[argument.attribute] = read_field(frame, argument, node)
        except Broken:
            broken = True
        except LoweringError as error:
            found += error.diagnostics
    missing = [a for key, a in known.items() if a.required and args.key(key) is None and key not in meant]
    found += [Diagnostic("S002", f"{name} needs '{a.name}'", span, _example(a)) for a in missing]
    if found:
        raise LoweringError(*found)
    if broken:
        raise Broken
    return values


def _own_start(frame: Frame, argument: Argument, node: Node) -> bool:
    """Whether a start is an argument of a block that is null: then the component has its own."""
    return argument.slot.kind == "init" and isinstance(node, Scalar) and frame.is_null(node.value)


def _unknown(
    known: tuple[str, ...], args: Mapping, name: str, extra: tuple[str, ...]
) -> tuple[list[Diagnostic], set[str | None]]:
    """Findings about arguments that do not exist, and the ones that were probably meant."""
    options = (*extra, *known)
    unknown = [key for key, _ in args.entries if key.value not in known][:MAX_UNKNOWN]
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


def _example(argument: Argument) -> str:
    words = argument.words
    what = f"one of: {', '.join(words)}" if words else _KINDS.get(argument.slot.kind, "a value")
    return f"add '{argument.name}: …', {what}"


_KINDS = {
    "int": "a whole number",
    "real": "a number",
    "tensor": "the name of a step",
    "text": "a text",
    "extents": "a list of sizes",
    "mask": "a condition over b, h, q and k",
    "score": "the name of a step, or a number over b, h, q and k",
    "flag": "true or false",
}


def read_field(frame: Frame, argument: Argument, node: Node) -> Any:
    """One argument.

    Raises `LoweringError` at the node, `Broken`.
    """
    slot, name = argument.slot, argument.name
    if isinstance(node, Scalar) and node.value is None and not node.quoted:
        return _absent(node, argument)
    if argument.nested is not None:
        return _nested(frame, argument.nested, node, name)
    if slot.kind in ("tensor", "score") and isinstance(node, Scalar) and frame.is_null(node.value):
        return _absent(node, argument)
    with located(node, name):
        if argument.nullable and slot.kind in _NUMBERS and value_of(frame, node) is None:
            return None  # a param that is null, or an expression that gives it
        return READERS[slot.kind](frame, node, slot, argument.words)


def _absent(node: Scalar, argument: Argument) -> None:
    if not argument.nullable:
        hint = "give it a value" if argument.required else "leave it out to take its default"
        raise LoweringError(Diagnostic("S003", f"'{argument.name}' cannot be null", node.span, hint))


def _nested(frame: Frame, model: type[Fields], node: Node, name: str) -> Fields:
    if not isinstance(node, Mapping):
        hint = "write '{}' to take all defaults"
        message = f"'{name}': expected a mapping, found {kind(node)}"
        raise LoweringError(Diagnostic("S003", message, node.span, hint))
    return model(**_fields(frame, model, node, name, node.span))
