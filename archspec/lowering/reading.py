"""Arguments of a component: each node read as its slot says, then checked by the component's model."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from archspec.components.base import Component, Problem
from archspec.components.slots import Slot
from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, describe, evaluate
from archspec.dims.expr import Call, Expr, Name
from archspec.dims.num import Num, Value
from archspec.dims.parse import ExprSyntaxError, parse
from archspec.errors import Diagnostic, LoweringError, Span, did_you_mean
from archspec.ir.builder import Handle
from archspec.ir.graph import Init
from archspec.lowering.faults import Broken, text_span
from archspec.lowering.frame import Frame
from archspec.lowering.masks import read_mask
from archspec.lowering.tensors import lower_expression
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind

INITS = {"normal": 2, "trunc_normal": 2, "uniform": 2, "constant": 1}


def read_arguments(frame: Frame, word: type[Component], args: Mapping, span: Span) -> Component:
    """A component with all its fields; every finding of its arguments at once.

    Raises `LoweringError`, `Broken`.
    """
    found: list[Diagnostic] = []
    values: dict[str, Any] = {}
    broken = False
    fields = slots(word)
    for key, node in args.without("in").entries:
        name = str(key.value)
        if name not in fields:
            hint = did_you_mean(name, fields) or f"known here: {', '.join(fields)}"
            found.append(Diagnostic("S001", f"unknown argument '{name}' of {word.words[0]}", key.span, hint))
            continue
        try:
            values[name] = read_field(frame, fields[name], node, name)
        except Broken:
            broken = True
        except LoweringError as error:
            found += error.diagnostics
    missing = [name for name, f in fields.items() if f.is_required() and args.get(name) is None]
    found += [
        Diagnostic("S002", f"{word.words[0]} needs '{name}'", span, _example(fields[name]))
        for name in missing
    ]
    if found:
        raise LoweringError(*found)
    if broken:
        raise Broken
    return word(**values)


def slots(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields by the name that is written in a spec."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _example(field: FieldInfo) -> str:
    slot, _ = _slot(field)
    return "it is " + _KINDS.get(slot.kind, "a value") if slot else "give it a value"


_KINDS = {
    "int": "a whole number", "real": "a number", "tensor": "the name of a step", "text": "a text", "word": "one of a set of words",
    "extents": "a list of sizes", "mask": "a boolean expression", "flag": "true or false",
}  # fmt: skip


def _slot(field: FieldInfo) -> tuple[Slot | None, tuple[Any, ...]]:
    """The field's slot, and the alternatives of its annotation."""
    for piece in (*field.metadata, *_pieces(field.annotation)):
        if isinstance(piece, Slot):
            return piece, tuple(_pieces(field.annotation))
    return None, tuple(_pieces(field.annotation))


def _pieces(annotation: Any) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        for part in get_args(annotation):
            yield from _pieces(part)


def read_field(frame: Frame, field: FieldInfo, node: Node, name: str) -> Any:
    """One argument.

    Raises `LoweringError` at the node, `Broken`.
    """
    slot, pieces = _slot(field)
    if isinstance(node, Scalar) and node.value is None and not node.quoted:
        if type(None) in pieces:
            return None
        raise LoweringError(
            Diagnostic("S003", f"'{name}' cannot be null", node.span, "leave it out to take its default")
        )
    words = tuple(w for p in pieces if get_origin(p) is Literal for w in get_args(p))
    nested = next((p for p in pieces if isinstance(p, type) and issubclass(p, BaseModel)), None)
    try:
        if nested is not None:
            return _nested(frame, nested, node, name)
        if slot is None and words:
            slot = Slot("word")
        return READERS[slot.kind if slot else "text"](frame, node, slot or Slot("text"), words)
    except (EvalError, ExprSyntaxError) as fault:
        code = fault.code if isinstance(fault, EvalError) else "N010"
        raise LoweringError(
            Diagnostic(code, fault.message, text_span(node, fault.at, fault.end), fault.hint)
        ) from None
    except Problem as fault:
        raise LoweringError(
            Diagnostic(fault.code, f"'{name}': {fault.message}", node.span, fault.hint)
        ) from None
    except n.NumError as fault:
        raise LoweringError(Diagnostic("N004", f"'{name}': {fault}", node.span)) from None


def _nested(frame: Frame, model: type[BaseModel], node: Node, name: str) -> BaseModel:
    if not isinstance(node, Mapping):
        raise Problem("S003", f"expected a mapping, found {kind(node)}", hint="'{}' takes all defaults")
    fields = slots(model)
    values: dict[str, Any] = {}
    for key, value in node.entries:
        if key.value not in fields:
            hint = did_you_mean(str(key.value), fields) or f"known here: {', '.join(fields)}"
            raise LoweringError(
                Diagnostic("S001", f"unknown argument '{key.value}' of {name}", key.span, hint)
            )
        values[str(key.value)] = read_field(frame, fields[str(key.value)], value, str(key.value))
    return model(**values)


def text_of(node: Node) -> str:
    """What an expression slot parses: the scalar as written."""
    if not isinstance(node, Scalar):
        raise Problem("S003", f"expected a value, found {kind(node)}")
    return str(node.value) if isinstance(node.value, str) else node.text


def value_of(frame: Frame, node: Node) -> Value:
    """A number, word, boolean or list."""
    if isinstance(node, Sequence):
        return tuple(value_of(frame, item) for item in node.items)
    if isinstance(node, Scalar) and not isinstance(node.value, str):
        return (
            n.num(node.value)
            if isinstance(node.value, int | float) and not isinstance(node.value, bool)
            else node.value
        )
    return evaluate(parse(text_of(node)), frame.value)


def number_of(frame: Frame, node: Node) -> Num:
    value = value_of(frame, node)
    if not isinstance(value, Num):
        raise Problem("S003", f"expected a number, found {describe(value)}")
    return value


def _int(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> Num:
    number = number_of(frame, node)
    if not number.static:
        raise Problem(
            "S003", f"{number} is known only when the model runs", hint="it must follow from params"
        )
    value = int(number)
    if slot.low is not None and value < slot.low:
        raise Problem("S005", f"{number.described()} is below {slot.low:g}")
    return Num(value, number.expr) if isinstance(number.value, float) else number


def _real(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> Num:
    number = number_of(frame, node)
    if slot.low is not None and number.real < slot.low:
        raise Problem("S005", f"{number.described()} is below {slot.low:g}")
    return number


def _extent(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> Num:
    return number_of(frame, node)


def _extents(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> Any:
    if isinstance(node, Mapping):
        return {str(key.value): number_of(frame, value) for key, value in node.entries}
    value = value_of(frame, node)
    items = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(item, Num) for item in items):
        raise Problem("S003", f"expected a list of sizes, found {describe(value)}")
    return items


def _flag(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> bool:
    value = value_of(frame, node)
    if not isinstance(value, bool):
        raise Problem("S003", f"expected true or false, found {describe(value)}")
    return value


def _word(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> str:
    text = text_of(node)
    if text in words:
        return text
    try:
        value = value_of(frame, node)
    except (EvalError, ExprSyntaxError):
        value = text
    if isinstance(value, str) and value in words:
        return value
    shown = value if isinstance(value, str) else describe(value)
    raise Problem(
        "S006",
        f"unknown word '{shown}'",
        hint=did_you_mean(str(shown), words) or f"one of: {', '.join(words)}",
    )


def _int_or_word(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> Num | str:
    return text_of(node) if text_of(node) in words else _int(frame, node, slot, words)


def _text(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> str:
    return text_of(node)


def _mask(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> Any:
    return read_mask(frame, parse(text_of(node)))


def _tensor(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> Handle:
    return read_tensor(frame, node)


def read_tensor(frame: Frame, node: Node) -> Handle:
    """A tensor by name, by expression, by `{branch: [steps]}` or by `{pop: stack}`."""
    if isinstance(node, Mapping) and len(node.entries) == 1:
        key, inner = node.entries[0]
        if key.value == "branch":
            return frame.lowering.side(frame, inner)
        if key.value == "pop" and isinstance(inner, Scalar):
            return frame.lowering.pop(frame, inner)
    if not isinstance(node, Scalar):
        raise Problem(
            "S003",
            f"expected a tensor, found {kind(node)}",
            hint="a step's name, an expression, or {branch: [steps]}",
        )
    result = lower_expression(frame, parse(text_of(node)), "value")
    if not isinstance(result, Handle):
        shown = "a list" if isinstance(result, tuple) else describe(result)
        raise Problem("S003", f"expected a tensor, found {shown}")
    return result


def _init(frame: Frame, node: Node, slot: Slot, words: tuple[str, ...]) -> Init:
    expr = parse(text_of(node))
    named: dict[str, Expr] = {
        "zeros": Call("constant", (_literal(0.0),)),
        "ones": Call("constant", (_literal(1.0),)),
    }
    if isinstance(expr, Name):
        expr = named.get(expr.id, expr)
    if (
        not isinstance(expr, Call)
        or expr.function not in INITS
        or expr.kwargs
        or len(expr.args) not in (1, 2)
    ):
        raise EvalError(
            "S007",
            "not an initialisation",
            expr,
            "one of: normal(std), trunc_normal(std), uniform(low, high), constant(value), zeros, ones",
        )
    numbers = [evaluate(arg, frame.value) for arg in expr.args]
    if not all(isinstance(v, Num) for v in numbers):
        raise EvalError("S007", "an initialisation takes numbers", expr)
    given = [v for v in numbers if isinstance(v, Num)]
    if expr.function == "constant":
        return Init("constant", given[0])
    if len(given) == 1:
        given = [-given[0], given[0]] if expr.function == "uniform" else [n.num(0.0), given[0]]
    return Init(expr.function, given[0], given[1])


def _literal(value: float) -> Expr:
    return n.num(value).expr


READERS = {
    "int": _int, "real": _real, "extent": _extent, "extents": _extents, "flag": _flag, "word": _word,
    "int_or_word": _int_or_word, "text": _text, "mask": _mask, "tensor": _tensor, "init": _init,
}  # fmt: skip
