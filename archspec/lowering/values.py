"""Nodes to values: each kind of slot reads what is written in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from archspec.components.base import Problem
from archspec.components.slots import PairRule, Slot
from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, describe
from archspec.dims.expr import Call, Expr, Literal, Name
from archspec.dims.functions import MAX_ITEMS
from archspec.dims.num import Num, Value
from archspec.dims.parse import parse
from archspec.errors import did_you_mean
from archspec.ir.builder import Handle
from archspec.ir.graph import Init
from archspec.lowering.faults import Broken, located
from archspec.lowering.frame import Frame
from archspec.lowering.masks import read_mask
from archspec.lowering.scores import is_rule, read_score
from archspec.lowering.settings import literal
from archspec.lowering.tensors import lower_expression
from archspec.spec.names import boolean_hint
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind

Words: TypeAlias = tuple[str, ...]
Read: TypeAlias = Callable[[Frame, Node, Slot, Words], Any]

_RANDOM = ("normal", "trunc_normal", "uniform")
_INITS = dict.fromkeys(_RANDOM, (1, 2)) | {"constant": (1, 1), "sinusoids": (2, 2)}
_INIT_HINT = (
    "one of: normal(std), trunc_normal(std), uniform(low, high), constant(value), zeros, ones, "
    "sinusoids(theta, steps)"
)


def text_of(node: Node) -> str:
    """What an expression slot parses: the scalar as written."""
    if not isinstance(node, Scalar):
        raise Problem("S003", f"expected a value, found {kind(node)}", hint="write one value or expression")
    return str(node.value) if isinstance(node.value, str) else node.text


def value_of(frame: Frame, node: Node) -> Value:
    """A number, word, boolean or list.

    Raises `LoweringError` for an item of a list, a fault for the node itself, `Broken`.
    """
    if isinstance(node, Sequence):
        if len(node.items) > MAX_ITEMS:
            raise Problem("N004", f"a list of {len(node.items):,} items; at most {MAX_ITEMS:,} are read")
        return tuple(_item(frame, item) for item in node.items)
    if isinstance(node, Scalar) and not isinstance(node.value, str):
        return literal(node.value)
    return frame.evaluate(parse(text_of(node)))


def _item(frame: Frame, node: Node) -> Value:
    with located(node):
        return value_of(frame, node)


def number_of(frame: Frame, node: Node) -> Num:
    value = value_of(frame, node)
    if not isinstance(value, Num):
        hint = _origin(frame, node) or "write a number, or an expression that gives one"
        raise Problem("S003", f"expected a number, found {describe(value)}", hint=hint)
    return value


def _origin(frame: Frame, node: Node) -> str | None:
    """Where the param stands that a bare word names."""
    word = node.value if isinstance(node, Scalar) else None
    setting = frame.lowering.settings.nodes.get(word) if isinstance(word, str) else None
    if setting is None:
        return None
    here = setting.span.source == node.span.source
    where = f"on line {setting.span.line}" if here else f"at {setting.span}"
    trap = boolean_hint(setting.text) if isinstance(setting, Scalar) else None
    return f"'{word}' is set {where}" + (f"; {trap}" if trap else "")


def _int(frame: Frame, node: Node, slot: Slot, words: Words) -> Num:
    number = number_of(frame, node)
    if not number.static:
        message = f"{number} is known only when the model runs"
        raise Problem("S003", message, hint="it must follow from params")
    if isinstance(number.value, float) and not number.value.is_integer():
        shown = f"expected a whole number, found {number.described()}"
        raise Problem("S003", shown, hint=_origin(frame, node) or "'//' divides without a remainder")
    return _bounded(frame, node, slot, n.whole(number))


def _bounded(frame: Frame, node: Node, slot: Slot, number: Num) -> Num:
    if slot.low is not None and not number.real >= slot.low:
        hint = _origin(frame, node) or f"write {slot.low:g} or more"
        raise Problem("S005", f"{number.described()} is below {slot.low:g}", hint=hint)
    return number


def _real(frame: Frame, node: Node, slot: Slot, words: Words) -> Num:
    return _bounded(frame, node, slot, number_of(frame, node))


def _extent(frame: Frame, node: Node, slot: Slot, words: Words) -> Num:
    return number_of(frame, node)


def _extents(frame: Frame, node: Node, slot: Slot, words: Words) -> object:
    value = value_of(frame, node)
    items = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(item, Num) for item in items):
        hint = "write it like [2, hidden_size]"
        raise Problem("S003", f"expected a list of sizes, found {describe(value)}", hint=hint)
    return items


def _extent_table(frame: Frame, node: Node, slot: Slot, words: Words) -> dict[str, Num]:
    if not isinstance(node, Mapping):
        hint = "write it like {h: num_heads}"
        raise Problem("S003", f"expected a mapping of names to sizes, found {kind(node)}", hint=hint)
    out: dict[str, Num] = {}
    for key, value in node.entries:
        with located(value):
            out[str(key.value)] = number_of(frame, value)
    return out


def flag_of(frame: Frame, node: Node) -> bool:
    """True or false. Raises `Problem` S003 for anything else."""
    trap = boolean_hint(node.text) if isinstance(node, Scalar) else None
    value = node.text if isinstance(node, Scalar) and trap else value_of(frame, node)
    if not isinstance(value, bool):
        hint = trap or _origin(frame, node) or "write true or false"
        raise Problem("S003", f"expected true or false, found {describe(value)}", hint=hint)
    return value


def _flag(frame: Frame, node: Node, slot: Slot, words: Words) -> bool:
    return flag_of(frame, node)


def _word(frame: Frame, node: Node, slot: Slot, words: Words) -> str:
    if not isinstance(node, Scalar):
        raise Problem("S003", f"expected a word, found {kind(node)}", hint=f"one of: {', '.join(words)}")
    text = text_of(node)
    if text in words:
        return text
    known = not text.isidentifier() or text in frame.options()
    failed = text in frame.failed or text in frame.lowering.settings.failed
    value = value_of(frame, node) if known or failed else text
    if isinstance(value, str) and value in words:
        return value
    shown = value if isinstance(value, str) else describe(value)
    hint = did_you_mean(str(shown), words) or f"one of: {', '.join(words)}"
    raise Problem("S006", f"unknown word '{shown}'", hint=hint)


def _int_or_word(frame: Frame, node: Node, slot: Slot, words: Words) -> Num | str:
    text = text_of(node)
    if text.isidentifier() and text not in frame.options():
        return _word(frame, node, slot, words)
    return _int(frame, node, slot, words)


def _text(frame: Frame, node: Node, slot: Slot, words: Words) -> str:
    return text_of(node)


def _mask(frame: Frame, node: Node, slot: Slot, words: Words) -> PairRule | None:
    """A rule; None where it hides nothing."""
    rule = read_mask(frame, parse(text_of(node)))
    return None if rule.expr == Literal(True) else rule


def _score(frame: Frame, node: Node, slot: Slot, words: Words) -> Handle | PairRule | None:
    """A rule where it is about pairs; None where it adds nothing. Else a tensor."""
    expr = parse(text_of(node)) if isinstance(node, Scalar) and node.value is not None else None
    return read_score(frame, expr) if expr is not None and is_rule(expr) else read_tensor(frame, node)


def _tensor(frame: Frame, node: Node, slot: Slot, words: Words) -> Handle:
    return read_tensor(frame, node)


def read_tensor(frame: Frame, node: Node, name: str = "value") -> Handle:
    """A tensor by name, by expression, by `{branch: [steps]}` or by `{pop: stack}`.

    `name`: what an expression is called. Raises a fault, `LoweringError`, `Broken`.
    """
    if isinstance(node, Mapping) and len(node.entries) == 1:
        key, inner = node.entries[0]
        if key.value == "branch":
            return frame.lowering.side(frame, inner)
        if key.value == "pop" and isinstance(inner, Scalar):
            return frame.lowering.pop(frame, inner)
    hint = "a step's name, an expression, or {branch: [steps]}"
    if not isinstance(node, Scalar) or node.value is None:
        raise Problem("S003", f"expected a tensor, found {kind(node)}", hint=hint)
    result = lower_expression(frame, parse(text_of(node)), name)
    if not isinstance(result, Handle):
        shown = "a list" if isinstance(result, tuple) else describe(result)
        raise Problem("S003", f"expected a tensor, found {shown}", hint=hint)
    return result


def read_start(frame: Frame, node: Node) -> Init | None:
    """How weights start, None for null. Raises `LoweringError` at the node, `Broken`."""
    if isinstance(node, Scalar) and (node.value is None or frame.is_null(node.value)):
        return None
    with located(node):
        return _init(frame, node, Slot("init"), ())


def _init(frame: Frame, node: Node, slot: Slot, words: Words) -> Init:
    expr = parse(text_of(node))
    if isinstance(expr, Name) and expr.id in frame.failed:
        raise Broken
    if isinstance(expr, Name) and expr.id in frame.starts:
        return frame.starts[expr.id]
    named = {"zeros": Literal(0.0, expr.at, expr.end), "ones": Literal(1.0, expr.at, expr.end)}
    if isinstance(expr, Name) and expr.id in named:
        expr = Call("constant", (named[expr.id],), (), expr.at, expr.end)
    if not isinstance(expr, Call) or expr.function not in _INITS or expr.kwargs:
        raise EvalError("S007", "this is not an initialisation", expr, _INIT_HINT)
    least, most = _INITS[expr.function]
    if not least <= len(expr.args) <= most:
        wanted = "one number" if most == 1 else "2 numbers" if least == 2 else "1 or 2 numbers"
        message = f"{expr.function} takes {wanted}, not {len(expr.args)}"
        raise EvalError("S007", message, expr, _INIT_HINT)
    given = [_init_number(frame, arg) for arg in expr.args]
    if expr.function == "constant":
        return Init("constant", given[0])
    if len(given) == 1:
        given = [-given[0], given[0]] if expr.function == "uniform" else [n.num(0.0), given[0]]
    _check_range(expr, given[0], given[1])
    return Init(expr.function, given[0], given[1])


def _init_number(frame: Frame, expr: Expr) -> Num:
    value = frame.evaluate(expr)
    if isinstance(value, Num) and value.static:
        return value
    shown = f"{value}, known only when the model runs" if isinstance(value, Num) else describe(value)
    raise EvalError("S007", f"an initialisation takes numbers, not {shown}", expr)


def _check_range(expr: Call, a: Num, b: Num) -> None:
    if expr.function == "uniform" and not a.real <= b.real:
        raise EvalError("S007", f"no number lies between {a.described()} and {b.described()}", expr)
    if expr.function == "sinusoids" and not (a.real > 0 and b.real > 0):
        raise EvalError("S007", "sinusoids take two numbers above 0", expr)
    if expr.function != "uniform" and not b.real >= 0:
        raise EvalError("S007", f"a standard deviation of {b.described()} is below 0", expr)


READERS: dict[str, Read] = {
    "int": _int,
    "real": _real,
    "extent": _extent,
    "extents": _extents,
    "extent_table": _extent_table,
    "flag": _flag,
    "word": _word,
    "int_or_word": _int_or_word,
    "text": _text,
    "mask": _mask,
    "score": _score,
    "tensor": _tensor,
    "init": _init,
}
