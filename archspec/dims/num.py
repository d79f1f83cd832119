"""Numbers that remember how they were written.

A `Num` is a value (an int, a float, or a polynomial over runtime symbols such as `B` and `S`) and
the expression that gave it, over the names in scope: 3072 written `4*hidden_size`. Equality looks
at the value alone; emitted code, diagrams and messages use the writing. The verifier holds the two
together: under a scope's bindings, the writing evaluates to the value.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from archspec.dims import poly
from archspec.dims.expr import Binary, Call, Expr, Literal, Name, Unary, exceeds, names, substitute, write
from archspec.dims.poly import Poly, Size

Number: TypeAlias = int | float | Poly
Value: TypeAlias = "Num | bool | str | tuple[Value, ...] | None"
MAX_MAGNITUDE = 2**63
MAX_WRITING = 64  # nodes of an expression; what would be longer is written as its value
MAX_ATOMS, MAX_NESTING = 200, 24
_FLOAT_OPS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


class NumError(ArithmeticError):
    """Arithmetic that has no answer: division by zero, a fractional size, a value out of range."""


class UnknownError(NumError):
    """The answer is known only when the model runs."""


@dataclass(frozen=True, slots=True)
class Num:
    """A value, and the expression over the names in scope that wrote it."""

    value: Number
    expr: Expr = field(compare=False)

    @property
    def static(self) -> bool:
        """Known before the model runs."""
        return not isinstance(self.value, Poly)

    @property
    def size(self) -> Size:
        """The value as an integer or a polynomial; a fractional value is an error."""
        if isinstance(self.value, float):
            if not self.value.is_integer():
                raise NumError(f"{self} is {self.value}, not a whole number")
            return int(self.value)
        return self.value

    @property
    def real(self) -> float:
        if isinstance(self.value, Poly):
            raise UnknownError(f"{self} is known only when the model runs")
        return self.value

    def __int__(self) -> int:
        size = self.size
        if isinstance(size, Poly):
            raise UnknownError(f"{self} is known only when the model runs")
        return size

    def __str__(self) -> str:
        return write(self.expr)

    def described(self) -> str:
        """`4*hidden_size = 3072`: the writing and, where it differs, the value."""
        shown = str(self)
        value = poly.show(self.value) if isinstance(self.value, Poly) else repr(self.value)
        return shown if shown.replace(" ", "") == value.replace(" ", "") else f"{shown} = {value}"

    def __add__(self, other: Num | float) -> Num:
        return combine("+", self, num(other))

    def __sub__(self, other: Num | float) -> Num:
        return combine("-", self, num(other))

    def __mul__(self, other: Num | float) -> Num:
        return combine("*", self, num(other))

    def __rmul__(self, other: float) -> Num:
        return combine("*", num(other), self)

    def __truediv__(self, other: Num | float) -> Num:
        return combine("/", self, num(other))

    def __floordiv__(self, other: Num | float) -> Num:
        return combine("//", self, num(other))

    def __mod__(self, other: Num | float) -> Num:
        return combine("%", self, num(other))

    def __pow__(self, other: Num | float) -> Num:
        return combine("**", self, num(other))

    def __neg__(self) -> Num:
        value = poly.neg(self.value) if isinstance(self.value, Poly) else -self.value
        return _written(value, Unary("-", self.expr))


def num(value: Num | float | Poly) -> Num:
    """A number as itself, without a name."""
    if isinstance(value, Num):
        return value
    return Num(value, _plain(value))


def _plain(value: Number) -> Expr:
    return poly.tree(value) if isinstance(value, Poly) else Literal(value)


def symbol(name: str) -> Num:
    """A size known only when the model runs."""
    return Num(poly.symbol(name), Name(name))


def named(name: str, value: Num | float) -> Num:
    """`value`, written as `name` from here on."""
    return Num(num(value).value, Name(name))


def product(items: tuple[Num, ...]) -> Num:
    out = num(1)
    for item in items:
        out = out * item
    return out


def same(a: Num, b: Num) -> bool:
    return a.value == b.value


def whole(number: Num) -> Num:
    """The number as an integer, in value and in writing: `a / b`, which is a float, as `int(a / b)`.

    Raises `NumError` where it has a fraction.
    """
    if not isinstance(number.value, float):
        return number
    if isinstance(number.expr, Literal):
        return num(int(number))
    return _written(int(number), Call("int", (number.expr,)))


def reads(number: Num) -> frozenset[str]:
    """The names in the writing."""
    return frozenset(names(number.expr))


def outward(number: Num, bindings: Mapping[str, Value]) -> Num:
    """The number as the scope around writes it, where `bindings` says what the inner names stand for."""
    expr = substitute(number.expr, {k: v.expr for k, v in bindings.items() if isinstance(v, Num)})
    long = exceeds(expr, MAX_WRITING)
    return Num(number.value, _plain(number.value) if long else _shorter(number.value, expr))


def combine(op: str, a: Num, b: Num) -> Num:
    """`a op b`, by value and in writing.

    Raises `NumError`.
    """
    try:
        value = _value(op, a.value, b.value)
    except ZeroDivisionError:
        raise NumError(f"{a} {op} {b} divides by zero") from None
    except (OverflowError, ValueError):
        raise NumError(f"{a} {op} {b} is out of range") from None
    if not _in_range(value):
        raise NumError(f"{a} {op} {b} is out of range")
    return _written(value, _simple(op, a, b) or Binary(op, a.expr, b.expr))


def _in_range(value: Number | complex) -> bool:
    if isinstance(value, Poly):
        atoms, nesting = poly.extent(value)
        small = all(abs(coefficient) < MAX_MAGNITUDE for _, coefficient in value.terms)
        return small and atoms <= MAX_ATOMS and nesting <= MAX_NESTING
    return not isinstance(value, complex) and abs(value) < MAX_MAGNITUDE


def _simple(op: str, a: Num, b: Num) -> Expr | None:
    """`x*1`, `1*x`, `x+0`, `0+x`, `x//1` are written `x`, where they are `x`."""
    if isinstance(a.value, float) or isinstance(b.value, float):
        return None
    unit = {"*": 1, "//": 1, "+": 0, "-": 0, "**": 1}.get(op)
    if isinstance(b.expr, Literal) and b.value == unit:
        return a.expr
    if op == "+" and isinstance(b.expr, Literal) and isinstance(b.value, int) and b.value < 0:
        return Binary("-", a.expr, Literal(-b.value))
    return b.expr if op in "*+" and isinstance(a.expr, Literal) and a.value == unit else None


def _written(value: Number, expr: Expr) -> Num:
    parts = (expr.left, expr.right) if isinstance(expr, Binary) else (expr,)
    operands = (expr.operand,) if isinstance(expr, Unary) else parts
    if not isinstance(value, Poly) and all(isinstance(x, Literal) for x in operands):
        return Num(value, Literal(value))
    return Num(value, _plain(value) if exceeds(expr, MAX_WRITING) else _shorter(value, expr))


def _shorter(value: Number, expr: Expr) -> Expr:
    """The writing, or the value's own form where that is shorter: `4 * H` for `(8 * H - 1) // 2 + 1`."""
    if not isinstance(value, Poly) or not set(names(expr)) <= poly.symbols(value):
        return expr
    if len(poly.show(value)) < len(write(expr)) - 2:
        return _plain(value)
    return expr


def _value(op: str, a: Number, b: Number) -> Number:
    if op == "**":
        return _power(a, b)
    if isinstance(a, float) or isinstance(b, float) or op == "/":
        return _float(op, a, b)
    if op in ("//", "%"):
        if b == 0:
            raise ZeroDivisionError
        return poly.divmod_(a, b)[op == "%"]
    return poly.mul(a, b) if op == "*" else poly.add(a, b if op == "+" else poly.neg(b))


def _power(a: Number, b: Number) -> Number:
    if isinstance(b, Poly):
        raise ValueError
    if isinstance(a, Poly):
        if not isinstance(b, int) or not 0 <= b <= 8:
            raise ValueError
        return poly.power(a, b)
    if abs(b) > 64 or (isinstance(a, int) and a.bit_length() * abs(b) > 4096):
        raise OverflowError
    return a**b


def _float(op: str, a: Number, b: Number) -> Number:
    if isinstance(a, Poly) or isinstance(b, Poly):
        return _exact_quotient(op, a, b)
    return _FLOAT_OPS[op](a, b)


def _exact_quotient(op: str, a: Number, b: Number) -> Number:
    if op == "/" and not isinstance(a, float) and not isinstance(b, float):
        whole, rest = poly.divmod_(a, b)
        if rest == 0:
            return whole
    raise ValueError
