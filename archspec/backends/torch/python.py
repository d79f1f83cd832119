"""Number expressions as Python."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from archspec.backends.torch.code import AND, ATOM, COMPARE, NOT, OR, POWER, PRODUCT, SUM, UNARY, Code
from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Listing, Literal, Name, Unary

_LEVELS = {
    "or": OR, "and": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT,
    "==": COMPARE, "!=": COMPARE, "<": COMPARE, "<=": COMPARE, ">": COMPARE, ">=": COMPARE,
}  # fmt: skip
_SIMPLE = re.compile(r"-?[\w.]+")
_MATH = ("sqrt", "log", "log2", "exp", "floor", "ceil")
CONDITIONAL = 0

Words = Callable[[str], str]
Need = Callable[[str], None]


def python(expr: Expr, name: Words, need: Need) -> Code:
    """The expression with each name spelt by `name`; `need` is told the imports."""

    def go(x: Expr) -> Code:
        return python(x, name, need)

    match expr:
        case Literal(value=value):
            return literal(value, need)
        case Name(id=word):
            return Code(name(word))
        case Unary(op="not", operand=x):
            return Code(f"not {go(x).inside(NOT)}", NOT)
        case Unary(op=op, operand=x):
            power = isinstance(x, Binary) and x.op == "**"  # as `ruff format` has it
            return Code(f"{op}{go(x).inside(ATOM if power else UNARY)}", UNARY)
        case Binary(op=op, left=a, right=b):
            return _binary(op, go(a), go(b))
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


def literal(value: object, need: Need) -> Code:
    """A number as people write it: `1e-5`, not `1e-05`."""
    if isinstance(value, float) and not math.isfinite(value):
        need("import math")
        sign = "-" if value < 0 else ""
        return Code(f"{sign}math.{'nan' if math.isnan(value) else 'inf'}", UNARY if sign else ATOM)
    text = re.sub(r"e([+-])0*(?=\d)", lambda found: f"e{found[1].strip('+')}", repr(value))
    return Code(text, UNARY if text.startswith("-") else ATOM)


def _binary(op: str, left: Code, right: Code) -> Code:
    if op == "**":
        base, exponent = left.inside(ATOM), right.inside(UNARY)
        close = _SIMPLE.fullmatch(base) and _SIMPLE.fullmatch(exponent)
        return Code(f"{base}**{exponent}" if close else f"{base} ** {exponent}", POWER)
    level = _LEVELS[op]
    return Code(f"{left.inside(level + (level == COMPARE))} {op} {right.inside(level + 1)}", level)


def _call(expr: Call, args: list[Code], need: Need) -> Code:
    if expr.function == "round_up":
        x, multiple = args
        return Code(f"-(-{x.inside(UNARY)} // {multiple.inside(UNARY)}) * {multiple.inside(UNARY)}", PRODUCT)
    if expr.function == "whole":
        return Code(f"int({args[0].text})")
    if expr.function in _MATH:
        need("import math")
    prefix = "math." if expr.function in _MATH else ""
    return Code(f"{prefix}{expr.function}({', '.join(a.text for a in args)})")
