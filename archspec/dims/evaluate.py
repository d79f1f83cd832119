"""Expressions to values, for everything that is decided before the model runs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast

from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.expr import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Expr,
    Index,
    Listing,
    Literal,
    Name,
    Slice,
    Unary,
    write,
)
from archspec.dims.functions import FUNCTIONS, bounded, repeated
from archspec.dims.num import Num, NumError, UnknownError, Value
from archspec.dims.poly import Poly
from archspec.errors import did_you_mean

Lookup: TypeAlias = Callable[[str], "Value"]
Clauses: TypeAlias = tuple[tuple[str, Expr], ...]
MAX_TURNS = 100_000
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# What to do with each side of a comparison that has to hold.
_MOVES = {
    "<": ("lower", "raise"),
    "<=": ("lower", "raise"),
    ">": ("raise", "lower"),
    ">=": ("raise", "lower"),
}


class EvalError(Exception):
    """An expression without a value: code, message, the stretch of text, hint."""

    def __init__(self, code: str, message: str, expr: Expr, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.at, self.end, self.hint = code, message, expr.at, expr.end, hint


def evaluate(expr: Expr, lookup: Lookup) -> Value:
    """The value of `expr`; `lookup(name)` gives a name's value or raises `KeyError(options)`.

    Raises `EvalError`: N001 unknown name, N002 wrong kind of operand, N003 no such function,
    N004 arithmetic without an answer, N005 undecidable before the model runs, N008 a check that fails.
    """
    return _Evaluator(lookup, iter(range(MAX_TURNS))).visit(expr)


class _Evaluator:
    def __init__(self, lookup: Lookup, turns: Iterator[int]) -> None:
        self.lookup, self.turns = lookup, turns  # the turns that comprehensions have left, nested or not

    def visit(self, expr: Expr) -> Value:
        try:
            return self._visit(expr)
        except NumError as error:
            code = "N005" if isinstance(error, UnknownError) else "N004"
            raise EvalError(code, str(error), expr) from None

    def _visit(self, expr: Expr) -> Value:
        match expr:
            case Literal(value=value):
                return value if value is None or isinstance(value, bool | str) else n.num(value)
            case Name():
                return self.name(expr)
            case Unary(op=op, operand=x):
                return not self.truth(x) if op == "not" else -self.number(x)
            case Binary():
                return self.binary(expr)
            case Conditional(test=t, then=a, orelse=b):
                return self.visit(a) if self.truth(t) else self.visit(b)
            case Call():
                return self.call(expr)
            case Index():
                return self.index(expr)
            case Listing(items=items):
                return bounded(tuple(self.visit(item) for item in items))
            case Comprehension(item=item, clauses=clauses):
                return bounded(tuple(map(_plain, self.each(item, clauses))))
            case Slice():
                raise EvalError("N002", "a slice has no value of its own", expr)

    def name(self, expr: Name) -> Value:
        try:
            return self.lookup(expr.id)
        except KeyError as error:
            known = cast("object", error.args[0]) if error.args else ()
            options = cast("tuple[str, ...]", known) if isinstance(known, tuple) else ()
            raise EvalError("N001", f"unknown name '{expr.id}'", expr, _suggest(expr.id, options)) from None

    def number(self, expr: Expr) -> Num:
        value = self.visit(expr)
        if isinstance(value, Num):
            return value
        raise EvalError("N002", f"expected a number, found {describe(value)}", expr)

    def truth(self, expr: Expr) -> bool:
        value = self.visit(expr)
        if isinstance(value, bool):
            return value
        hint = "compare it, as in 'x != 0'"
        raise EvalError("N002", f"expected true or false, found {describe(value)}", expr, hint)

    def binary(self, expr: Binary) -> Value:
        if expr.op in ("and", "or"):
            left = self.truth(expr.left)
            return left if left == (expr.op == "or") else self.truth(expr.right)
        left, right = self.visit(expr.left), self.visit(expr.right)
        if expr.op in _COMPARE or expr.op == "in":
            return _compare(expr, left, right)
        if isinstance(left, Num) and isinstance(right, Num) and expr.op != "@":
            return n.combine(expr.op, left, right)
        if isinstance(left, tuple) and isinstance(right, tuple) and expr.op == "+":
            return bounded((*left, *right))
        if isinstance(left, tuple) and isinstance(right, Num) and expr.op == "*":
            return repeated(left, int(right))
        raise EvalError("N002", f"'{expr.op}' does not combine {describe(left)} and {describe(right)}", expr)

    def index(self, expr: Index) -> Value:
        base = self.visit(expr.base)
        if not isinstance(base, tuple) or len(expr.items) != 1:
            raise EvalError("N002", f"only a list takes one index here, not {describe(base)}", expr)
        item = expr.items[0]
        if isinstance(item, Slice):
            return base[self.slice(item)]
        position = int(self.number(item))
        if not -len(base) <= position < len(base):
            raise EvalError("N004", f"index {position} is outside a list of {len(base)}", item)
        return base[position]

    def each(self, item: Expr, clauses: Clauses) -> Iterator[Value]:
        """The item for each combination of what the clauses name, the last of them running fastest."""
        if not clauses:
            yield self.visit(item)
            return
        (name, over), *later = clauses
        items = self.visit(over)
        if not isinstance(items, tuple):
            raise EvalError("N002", f"'for' runs over a list, not over {describe(items)}", over)
        for value in items:
            if next(self.turns, None) is None:
                raise NumError(f"more than {MAX_TURNS:,} items are gone through")
            yield from _Evaluator(_beside(self.lookup, name, value), self.turns).each(item, tuple(later))

    def slice(self, item: Slice) -> slice:
        bounds = [None if x is None else int(self.number(x)) for x in (item.start, item.stop, item.step)]
        if bounds[2] == 0:
            raise EvalError("N004", "a slice cannot step by 0", item)
        return slice(*bounds)

    def check(self, expr: Call) -> Value:
        """`check(value, condition)` is the value, and an error where the condition does not hold."""
        if len(expr.args) != 2 or expr.kwargs:
            hint = "write it as in 'check(window, window <= 512)'"
            raise EvalError("N003", "'check' takes a value and a condition", expr, hint)
        value, condition = expr.args
        unmet = self.unmet(condition)
        if unmet is not None:
            raise self.failed(unmet)
        return self.visit(value)

    def unmet(self, condition: Expr) -> Expr | None:
        """The first part of a condition that is false."""
        if isinstance(condition, Binary) and condition.op == "and":
            return self.unmet(condition.left) or self.unmet(condition.right)
        return None if self.truth(condition) else condition

    def failed(self, unmet: Expr) -> EvalError:
        """What is compared with what, and which way each side would have to move."""
        message = f"'{write(unmet)}' does not hold"
        if not isinstance(unmet, Binary) or unmet.op not in _COMPARE:
            return EvalError("N008", message, unmet, "change what it reads")
        verbs = _MOVES.get(unmet.op, ("change", "change"))
        both = zip(verbs, (unmet.left, unmet.right), strict=True)
        sides = [(verb, side) for verb, side in both if not isinstance(side, Literal)]
        values = ", ".join(f"{write(side)} = {_shown(self.visit(side))}" for _, side in sides)
        hint = " or ".join(f"{verb} {write(side)}" for verb, side in sides)
        return EvalError("N008", f"{message}: {values}", unmet, hint)

    def call(self, expr: Call) -> Value:
        if expr.function == "check":
            return self.check(expr)
        function = FUNCTIONS.get(expr.function)
        if function is None:
            hint = _suggest(expr.function, (*FUNCTIONS, "check"))
            raise EvalError("N003", f"unknown function '{expr.function}'", expr, hint)
        if expr.kwargs:
            raise EvalError("N003", f"'{expr.function}' takes no named arguments here", expr)
        args = [self.visit(arg) for arg in expr.args]
        shown = ", ".join(describe(a) for a in args)
        try:
            return function(expr, args)
        except NumError:
            raise
        except ArithmeticError:
            raise NumError(f"'{expr.function}' of ({shown}) is out of range") from None
        except (TypeError, IndexError, ValueError):
            raise EvalError("N003", f"'{expr.function}' does not take ({shown})", expr) from None


def _plain(value: Value) -> Value:
    """A number of a computed list as its value: many such items share one writing, which says less."""
    return n.num(value.value) if isinstance(value, Num) and not isinstance(value.value, Poly) else value


def _beside(lookup: Lookup, name: str, value: Value) -> Lookup:
    """The names of a scope, and one more."""
    return lambda word: value if word == name else lookup(word)


def _compare(expr: Binary, left: Value, right: Value) -> bool:
    if expr.op == "in":
        if not isinstance(right, tuple):
            raise EvalError("N002", f"'in' looks into a list, not into {describe(right)}", expr)
        return left in right
    if isinstance(left, Num) and isinstance(right, Num):
        return _COMPARE[expr.op](*_comparable(expr, left, right))
    if expr.op in ("==", "!="):
        return _COMPARE[expr.op](left, right)
    raise EvalError("N002", f"'{expr.op}' does not order {describe(left)} and {describe(right)}", expr)


def _comparable(expr: Binary, left: Num, right: Num) -> tuple[float, float]:
    """Two numbers that compare as `left` and `right` do; two sizes, by their difference."""
    if left.static and right.static:
        return left.real, right.real
    difference = poly.add(left.size, poly.neg(right.size))
    if isinstance(difference, int):
        return difference, 0
    hint = "a condition may compare only what params decide"
    raise EvalError("N005", f"'{write(expr)}' is known only when the model runs", expr, hint)


def _suggest(word: str, options: tuple[str, ...]) -> str | None:
    shown = ", ".join(options[:12])
    return did_you_mean(word, options) or (f"known here: {shown}" if options else None)


def _shown(value: Value) -> str:
    return str(value.value) if isinstance(value, Num) else describe(value)


def describe(value: Value) -> str:
    """`the number 3`, `the word relu`, `a list` …: a value in a reader's words."""
    if isinstance(value, Num):
        return f"the number {value.described()}"
    if isinstance(value, tuple):
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else f"the word '{value}'"
