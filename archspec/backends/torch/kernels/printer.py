"""Expressions of plans, masks and scores as Triton."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from msgspec import Struct

from archspec.backends.torch.code import BIT_AND, BIT_OR, COMPARE, PRODUCT, SUM, UNARY, Code
from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Literal, Name, Unary, write

_BITS = {"and": ("&", BIT_AND), "or": ("|", BIT_OR)}
_LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT}
_COMPARED = ("==", "!=", "<", "<=", ">", ">=")
_UNARY = ("sqrt", "exp", "log", "log2", "floor", "ceil", "abs")
_LEAST = {"min": "minimum", "max": "maximum"}

# Sizes, numbers of tiles, and positions of keys; queries may stand before the first key.
NATURAL = frozenset({"b", "h", "k", "m", "n", "M", "N", "Q", "K"})

Lookup = Callable[[Index], Code]


class Printer(Struct, frozen=True):
    """Writes expressions over scalars and blocks alike. `lookup` writes what tensors are read at.

    `natural`: names of what is not below 0. Python rounds quotients down, Triton towards 0: they agree there.
    """

    lookup: Lookup
    natural: frozenset[str] = NATURAL

    def text(self, expr: Expr) -> str:
        return self.code(expr).text

    def code(self, expr: Expr) -> Code:
        match expr:
            case Literal(value=bool() as value):
                return Code(str(value))
            case Literal(value=int() | float() as value):
                return Code(repr(value), UNARY if value < 0 else Code("").level)
            case Name(id=word):
                return Code(word)
            case Unary(op="not", operand=x):
                return Code(f"~{self.code(x).atom}", UNARY)
            case Unary(op=op, operand=x):
                return Code(f"{op}{self.code(x).inside(UNARY)}", UNARY)
            case Binary(op=op, left=a, right=b):
                return self._binary(op, a, b)
            case Conditional(test=test, then=a, orelse=b):
                return Code(f"tl.where({', '.join(self.text(x) for x in (test, a, b))})")
            case Call(function=function, args=args):
                return self._call(function, args)
            case Index():
                return self.lookup(expr)
            case _:
                raise ValueError(f"'{write(expr)}' is no arithmetic of a kernel")

    def _binary(self, op: str, a: Expr, b: Expr) -> Code:
        left, right = self.code(a), self.code(b)
        if op in _BITS:
            sign, level = _BITS[op]
            return Code(f"{left.inside(level)} {sign} {right.inside(level + 1)}", level)
        if op in _COMPARED:
            return Code(f"{left.inside(SUM)} {op} {right.inside(SUM)}", COMPARE)
        if op in _LEVELS:
            level = _LEVELS[op]
            return Code(f"{left.inside(level)} {op} {right.inside(level + 1)}", level)
        if op == "**":
            return Code(f"powered({left.text}, {right.text})")
        if op in ("//", "%"):
            up = _rounded_up(a, b)
            if op == "//" and up is not None and self._not_below_0(up):
                return Code(f"tl.cdiv({self.text(up)}, {right.text})")
            if self._not_below_0(a):
                return Code(f"{left.inside(PRODUCT)} {op} {right.inside(PRODUCT + 1)}", PRODUCT)
            return Code(f"{'floor_div' if op == '//' else 'floor_mod'}({left.text}, {right.text})")
        raise ValueError(f"a kernel has no '{op}'")

    def _call(self, function: str, args: tuple[Expr, ...]) -> Code:
        if function in _LEAST:
            texts = [self.text(x) for x in args]
            return Code(reduce(lambda a, b: f"tl.{_LEAST[function]}({a}, {b})", texts))
        if function in _UNARY:
            return Code(f"tl.{function}({self.text(args[0])})")
        raise ValueError(f"a kernel has no '{function}'")

    def _not_below_0(self, expr: Expr) -> bool:
        match expr:
            case Literal(value=int() | float() as value):
                return value >= 0
            case Name(id=word):
                return word in self.natural
            case Binary(op="+" | "*" | "//", left=a, right=b):
                return self._not_below_0(a) and self._not_below_0(b)
            case Binary(op="%", right=b):
                return self._not_below_0(b)
            case Call(function="max", args=args):
                return any(map(self._not_below_0, args))
            case Call(function="min", args=args):
                return all(map(self._not_below_0, args))
            case Call(function="abs"):
                return True
            case _:
                return False


def _rounded_up(a: Expr, by: Expr) -> Expr | None:
    """x of `(x + by - 1) // by`."""
    match a:
        case Binary(op="-", left=Binary(op="+", left=x, right=n), right=Literal(value=1)) if n == by:
            return x
        case _:
            return None
