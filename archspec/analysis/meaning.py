"""A mask's rule as a function of a query's and a key's place."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

from archspec.analysis.terms import UnreadableError
from archspec.dims.expr import Binary, Call, Conditional, Expr, Literal, Name, Unary

Meaning: TypeAlias = Callable[[int, int], int]

_TWO: dict[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge, "and": operator.and_, "or": operator.or_, "min": min, "max": max,
}  # fmt: skip
_ONE: dict[str, Callable[[int], int]] = {"-": operator.neg, "not": operator.not_, "abs": abs}


def meaning(expr: Expr, numbers: Mapping[str, int]) -> Meaning:
    """The function (q, k) -> value. Raises UnreadableError for what is no arithmetic of whole numbers."""
    match expr:
        case Literal(value=int() as value):
            return lambda q, k: value
        case Name(id="q"):
            return lambda q, k: q
        case Name(id="k"):
            return lambda q, k: k
        case Name(id=name) if name in numbers:
            number = numbers[name]
            return lambda q, k: number
        case Unary(op=op, operand=x) if op in _ONE:
            return _one(op, x, numbers)
        case Call(function="abs", args=(x,)):
            return _one("abs", x, numbers)
        case Binary(op=op, left=a, right=b) if op in _TWO:
            return _two(op, a, b, numbers)
        case Call(function="min" | "max" as op, args=(a, b)):
            return _two(op, a, b, numbers)
        case Conditional(test=test, then=a, orelse=b):
            which, yes, no = (meaning(x, numbers) for x in (test, a, b))
            return lambda q, k: yes(q, k) if which(q, k) else no(q, k)
        case _:
            raise UnreadableError


def _one(op: str, x: Expr, numbers: Mapping[str, int]) -> Meaning:
    function, inner = _ONE[op], meaning(x, numbers)
    return lambda q, k: function(inner(q, k))


def _two(op: str, a: Expr, b: Expr, numbers: Mapping[str, int]) -> Meaning:
    function, left, right = _TWO[op], meaning(a, numbers), meaning(b, numbers)
    return lambda q, k: function(left(q, k), right(q, k))
