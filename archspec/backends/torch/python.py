"""Number expressions as Python."""

from __future__ import annotations

import re
from collections.abc import Callable

from archspec.backends.torch.code import AND, ATOM, COMPARE, NOT, OR, POWER, PRODUCT, SUM, UNARY, Code
from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Listing, Literal, Name, Unary

_LEVELS = {"or": OR, "and": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT, "**": POWER}
_LEVELS |= dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), COMPARE)
_SIMPLE = re.compile(r"-?[\w.]+")
_MATH = ("sqrt", "log", "log2", "exp", "floor", "ceil")
CONDITIONAL = 0


def python(expr: Expr, name: Callable[[str], str], need: Callable[[str], None]) -> Code:
    """The expression with each name spelt by `name`; `need` is told the imports."""

    def go(x: Expr) -> Code:
        return python(x, name, need)

    match expr:
        case Literal(value=value):
            negative = isinstance(value, int | float) and str(value).startswith("-")
            return Code(repr(value), UNARY if negative else ATOM)
        case Name(id=word):
            return Code(name(word))
        case Unary(op="not", operand=x):
            return Code(f"not {go(x).inside(NOT)}", NOT)
        case Unary(op=op, operand=x):
            return Code(f"{op}{go(x).inside(UNARY)}", UNARY)
        case Binary(op="**", left=a, right=b):
            base, exponent = go(a).inside(ATOM), go(b).inside(UNARY)
            close = _SIMPLE.fullmatch(base) and _SIMPLE.fullmatch(exponent)
            return Code(f"{base}**{exponent}" if close else f"{base} ** {exponent}", POWER)
        case Binary(op=op, left=a, right=b):
            level = _LEVELS[op]
            return Code(f"{go(a).inside(level + (level == COMPARE))} {op} {go(b).inside(level + 1)}", level)
        case Conditional(test=t, then=a, orelse=b):
            return Code(f"{go(a).inside(OR)} if {go(t).inside(OR)} else {go(b).text}", CONDITIONAL)
        case Call():
            return _call(expr, [go(a) for a in expr.args], need)
        case Index(base=base, items=items):
            return Code(f"{go(base).atom}[{', '.join(go(i).text for i in items)}]")
        case Listing(items=items):
            return Code(f"[{', '.join(go(i).text for i in items)}]")
        case _:
            raise AssertionError(f"{expr} is no number")


def _call(expr: Call, args: list[Code], need: Callable[[str], None]) -> Code:
    if expr.function == "round_up":
        x, multiple = args
        return Code(f"-(-{x.inside(UNARY)} // {multiple.inside(UNARY)}) * {multiple.inside(UNARY)}", PRODUCT)
    if expr.function in _MATH:
        need("import math")
    prefix = "math." if expr.function in _MATH else ""
    return Code(f"{prefix}{expr.function}({', '.join(a.text for a in args)})")
