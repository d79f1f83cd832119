"""Expressions of whole numbers as functions, and their values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Literal, Name, Unary, write

Function: TypeAlias = Callable[[Mapping[str, int]], int]
"""The value, for `numbers` of names and, as they are written, of elements of tensors: `"window[h]"`."""

_TWO: dict[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
_ONE: dict[str, Callable[[int], int]] = {"-": operator.neg, "not": operator.not_, "abs": abs}


def value(expr: Expr, numbers: Mapping[str, int]) -> int:
    """The value, once; `function` says what it raises."""
    return function(expr)(numbers)


def function(expr: Expr) -> Function:
    """The function; called, it raises KeyError for what has no number, and ZeroDivisionError.

    Raises ValueError for what is no such arithmetic.
    """
    match expr:
        case Literal(value=int() as number):
            return lambda numbers: number
        case Name() | Index():
            word = write(expr)
            return lambda numbers: numbers[word]
        case Unary(op=op, operand=x) | Call(function=op, args=(x,)) if op in _ONE:
            one, inner = _ONE[op], function(x)
            return lambda numbers: one(inner(numbers))
        case Binary(op=op, left=a, right=b) if op in _TWO:
            two, left, right = _TWO[op], function(a), function(b)
            return lambda numbers: two(left(numbers), right(numbers))
        case Call(function="min" | "max" as op, args=args):
            extreme, parts = {"min": min, "max": max}[op], tuple(map(function, args))
            return lambda numbers: extreme([part(numbers) for part in parts])
        case _:
            return _decided(expr)


def _decided(expr: Expr) -> Function:
    """What computes one part only after another has decided so."""
    match expr:
        case Binary(op="and", left=a, right=b):
            left, right = function(a), function(b)
            return lambda numbers: left(numbers) and right(numbers)
        case Binary(op="or", left=a, right=b):
            left, right = function(a), function(b)
            return lambda numbers: left(numbers) or right(numbers)
        case Conditional(test=test, then=a, orelse=b):
            which, yes, no = map(function, (test, a, b))
            return lambda numbers: yes(numbers) if which(numbers) else no(numbers)
        case _:
            raise ValueError(f"'{write(expr)}' is no arithmetic of whole numbers")
