"""Reads what statements are made of: numbers, settings, types and the attributes of operations."""

from __future__ import annotations

from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from msgspec.structs import fields

from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, Lookup, describe, evaluate
from archspec.dims.expr import Expr
from archspec.dims.num import Num
from archspec.dims.num import Value as Setting
from archspec.dims.parse import ExprSyntaxError, parse
from archspec.errors import did_you_mean
from archspec.ir.op import Op
from archspec.ir.ops import REGISTRY
from archspec.ir.scope import Scope
from archspec.ir.text_scan import Scanner
from archspec.ir.types import SHORT, TensorType

MAX_LIST_DEPTH = 20
_WORDS: dict[str, bool | None] = {"null": None, "true": True, "false": False}
_DTYPES = {short: dtype for dtype, short in SHORT.items()}
_EXPR = set(get_args(Expr))


def expression(scan: Scanner, stops: str) -> Expr:
    text, start = scan.until(stops)
    try:
        return parse(text)
    except ExprSyntaxError as error:
        scan.line.fail("I003", error.message, start + error.at, error.end - error.at, error.hint)


def number(scan: Scanner, scope: Scope, stops: str) -> Num:
    """A writing, or a writing and its value: `4*d`, `4*d = 3072`."""
    scan.skip()
    start = scan.at
    written = expression(scan, stops + "=")
    if not scan.accept("="):
        return Num(_computed(scan, written, start, scope.lookup).value, written)
    scan.skip()
    start = scan.at
    return Num(_computed(scan, expression(scan, stops), start, n.symbol).value, written)


def _computed(scan: Scanner, expr: Expr, start: int, lookup: Lookup) -> Num:
    try:
        value = evaluate(expr, lookup)
    except EvalError as error:
        scan.line.fail("I003", error.message, start + error.at, error.end - error.at, error.hint)
    if not isinstance(value, Num):
        scan.line.fail("I003", f"expected a number, found {describe(value)}", start)
    return value


def setting(scan: Scanner, scope: Scope, stops: str, depth: int = 0) -> Setting:
    """A number, quoted text, a list, `true`, `false` or `null`."""
    if depth > MAX_LIST_DEPTH:
        scan.fail(f"lists nest deeper than {MAX_LIST_DEPTH} levels", code="I007")
    if scan.sees('"'):
        return scan.string()
    if scan.accept("["):
        return scan.many(lambda: setting(scan, scope, ",]", depth + 1), "]")
    for word, value in _WORDS.items():
        if scan.keyword(word):
            return value
    return number(scan, scope, stops)


def tensor_type(scan: Scanner, scope: Scope) -> TensorType:
    """`float[B, S, hidden_size]`."""
    scan.skip()
    start, word = scan.at, scan.atom("a type")
    if word not in _DTYPES:
        scan.line.fail("I009", f"unknown dtype '{word}'", start, len(word), did_you_mean(word, _DTYPES))
    scan.expect("[")
    return TensorType(_DTYPES[word], scan.many(lambda: number(scan, scope, ",]"), "]"))


def operation(scan: Scanner, name: str, start: int, scope: Scope) -> Op:
    """The operation of that name, with the attributes that stand here: `{eps = 1e-05}`."""
    kind = REGISTRY.get(name)
    if kind is None:
        scan.line.fail("I004", f"unknown operation '{name}'", start, len(name), did_you_mean(name, REGISTRY))
    declared = _declared(kind)
    values: dict[str, object] = {}

    def one() -> None:
        scan.skip()
        start, key = scan.at, scan.atom("an attribute")
        if key not in declared or key in values:
            problem = "a second" if key in values else "an unknown"
            scan.line.fail(
                "I005", f"{name} has {problem} '{key}'", start, len(key), did_you_mean(key, declared)
            )
        scan.expect("=")
        values[key] = attribute(scan, declared[key][0], scope)

    if scan.accept("{"):
        scan.many(one, "}")
    missing = [key for key, (_, needed) in declared.items() if needed and key not in values]
    if missing:
        scan.line.fail("I005", f"{name} needs {', '.join(missing)}", start, len(name))
    return kind(**values)


@cache
def _declared(kind: type[Op]) -> dict[str, tuple[Any, bool]]:
    """The attributes of an operation: the annotation of each, and whether it must be given."""
    return {f.name: (f.type, f.required) for f in fields(kind)}


def attribute(scan: Scanner, hint: Any, scope: Scope) -> object:
    """A value of the annotated type."""
    members = set(get_args(hint)) if get_origin(hint) in (UnionType, Union) else {hint}
    if NoneType in members and scan.keyword("null"):
        return None
    members.discard(NoneType)
    if members == _EXPR:
        return expression(scan, ",]}")
    (only,) = members
    if get_origin(only) is tuple:
        return _tuple(scan, get_args(only), scope)
    if only is Num:
        return number(scan, scope, ",]}")
    if only is bool:
        return _flag(scan)
    return scan.integer() if only is int else scan.atom("a word")


def _tuple(scan: Scanner, items: tuple[Any, ...], scope: Scope) -> tuple[object, ...]:
    scan.expect("[")
    if items[-1] is Ellipsis:
        return scan.many(lambda: attribute(scan, items[0], scope), "]")
    waiting = iter(items)

    def one() -> object:
        hint = next(waiting, None)
        if hint is None:
            scan.fail(f"expected {len(items)} items", code="I005")
        return attribute(scan, hint, scope)

    found = scan.many(one, "]")
    if len(found) != len(items):
        scan.fail(f"expected {len(items)} items, found {len(found)}", code="I005")
    return found


def _flag(scan: Scanner) -> bool:
    if scan.keyword("true"):
        return True
    if not scan.keyword("false"):
        scan.fail(f"expected true or false before {scan.rest()}", code="I005")
    return False
