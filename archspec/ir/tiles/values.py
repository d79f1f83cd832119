"""The value of an expression of whole numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping

from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Literal, Name, Unary, write

_TWO: dict[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
_MANY: dict[str, Callable[[Iterable[int]], int]] = {"min": min, "max": max}


def value(expr: Expr, numbers: Mapping[str, int]) -> int:
    """The value; `numbers` are of names and, as they are written, of elements of tensors: `"window[h]"`.

    Raises KeyError for what has no number, ZeroDivisionError, and ValueError for what is no such arithmetic.
    """
    match expr:
        case Literal(value=int() as number):
            return number
        case Name() | Index():
            return numbers[write(expr)]
        case Unary(op="-", operand=x):
            return -value(x, numbers)
        case Unary(op="not", operand=x):
            return not value(x, numbers)
        case Binary(op="and", left=a, right=b):
            return value(a, numbers) and value(b, numbers)
        case Binary(op="or", left=a, right=b):
            return value(a, numbers) or value(b, numbers)
        case Binary(op=op, left=a, right=b) if op in _TWO:
            return _TWO[op](value(a, numbers), value(b, numbers))
        case Conditional(test=test, then=a, orelse=b):
            return value(a if value(test, numbers) else b, numbers)
        case Call(function="abs", args=(x,)):
            return abs(value(x, numbers))
        case Call(function=function, args=args) if function in _MANY:
            return _MANY[function](value(x, numbers) for x in args)
        case _:
            raise ValueError(f"'{write(expr)}' is no arithmetic of whole numbers")
