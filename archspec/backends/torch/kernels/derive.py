"""What a score changes by when an element that it looks up does."""

from __future__ import annotations

from functools import reduce

from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Literal, Unary, write

ZERO, ONE = Literal(0.0), Literal(1.0)


def derivative(expr: Expr, of: Index) -> Expr:
    """The partial derivative; `ZERO` where the expression does not read `of`, or reads it only to look up.

    Where a minimum is reached twice, the first one counts; abs has slope 1 at 0.
    """

    def go(x: Expr) -> Expr:
        return derivative(x, of)

    match expr:
        case Index():
            return ONE if expr == of else ZERO
        case Unary(op="-", operand=x):
            return _minus(go(x))
        case Binary(op=op, left=a, right=b):
            return _of_binary(op, (a, go(a)), (b, go(b)))
        case Conditional(test=test, then=a, orelse=b):
            return _either(test, go(a), go(b))
        case Call(function=function, args=args):
            return _of_call(function, [(x, go(x)) for x in args])
        case _:
            return ZERO


Slope = tuple[Expr, Expr]


def _of_binary(op: str, left: Slope, right: Slope) -> Expr:
    (a, da), (b, db) = left, right
    match op:
        case "+":
            return _plus(da, db)
        case "-":
            return _plus(da, _minus(db))
        case "*":
            return _plus(_times(da, b), _times(db, a))
        case "/":
            return _plus(_over(da, b), _minus(_over(_times(db, a), Binary("*", b, b))))
        case "**" if db == ZERO:
            return _times(da, Binary("*", b, Binary("**", a, Binary("-", b, Literal(1)))))
        case "%" if db == ZERO:
            return da
        case _ if ZERO == da == db:
            return ZERO
        case _:
            raise ValueError(f"no derivative of '{write(a)} {op} {write(b)}'")


def _of_call(function: str, args: list[Slope]) -> Expr:
    (x, dx), *_ = args
    match function:
        case "min" | "max":
            return reduce(lambda a, b: _extreme(function, a, b), args)[1]
        case "abs":
            return _either(Binary("<", x, Literal(0)), _minus(dx), dx)
        case "exp":
            return _times(dx, Call("exp", (x,)))
        case "log":
            return _over(dx, x)
        case "sqrt":
            return _over(dx, Binary("*", Literal(2), Call("sqrt", (x,))))
        case _ if dx == ZERO:
            return ZERO
        case _:
            raise ValueError(f"no derivative of '{function}'")


def _extreme(function: str, left: Slope, right: Slope) -> Slope:
    (a, da), (b, db) = left, right
    test = Binary("<=" if function == "min" else ">=", a, b)
    return Call(function, (a, b)), _either(test, da, db)


def _plus(a: Expr, b: Expr) -> Expr:
    if ZERO in (a, b):
        return b if a == ZERO else a
    return Binary("+", a, b)


def _minus(x: Expr) -> Expr:
    if isinstance(x, Unary):
        return x.operand
    return x if x == ZERO else Unary("-", x)


def _times(slope: Expr, by: Expr) -> Expr:
    if slope == ZERO:
        return ZERO
    if isinstance(slope, Unary):
        return Unary("-", _times(slope.operand, by))
    return by if slope == ONE else Binary("*", slope, by)


def _over(slope: Expr, by: Expr) -> Expr:
    return ZERO if slope == ZERO else Binary("/", slope, by)


def _either(test: Expr, a: Expr, b: Expr) -> Expr:
    return a if a == b else Conditional(test, a, b)
