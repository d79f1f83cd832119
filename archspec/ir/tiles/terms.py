"""Comparisons solved for a place: `q - k < w` for keys is `k >= q - w + 1`.

A rule over `b`, `h`, `q`, `k` is read for a walk along one place (the walked one) at a tile of the other (the
own one). `b` and `h` do not change within a tile, so what is looked up at them alone is a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal as Word

from msgspec import Struct

from archspec.dims.expr import Binary, Expr, Index, Literal, Name, Unary, children, names
from archspec.dims.num import Num
from archspec.ir.tiles.sums import ONE, ZERO, ceil, floor, gap, minus, plus, times, whole
from archspec.ir.tiles.values import value

Kind = Word["lower", "upper", "first", "last", "if", "left", "data"]


class Term(Struct, frozen=True):
    """What must hold for a pair, in one of these kinds.

    `lower`, `upper`: the walked place is at least, at most `expr`, which reads the own place and numbers;
    `first`, `last`: so is the own place, and `expr` reads numbers; `if`: `expr` reads numbers alone;
    `left`: `expr` is tested pair by pair; `data`: so it is, and it looks tensors up.
    """

    kind: Kind
    expr: Expr


class Places(Struct, frozen=True):
    """The walked and the own place, and the numbers of a rule with their values."""

    walked: str
    own: str
    numbers: Mapping[str, Num]

    def read(self, expr: Expr) -> set[str]:
        """Which of `q` and `k` an expression depends on."""
        return set(names(expr)) & {self.walked, self.own}

    def positive(self, expr: Expr) -> bool:
        """Whether a number is above 0, by its value now: a plan holds only while it stays so."""
        known = {name: x.value for name, x in self.numbers.items() if isinstance(x.value, int)}
        return set(names(expr)) <= set(known) and value(expr, known) > 0

    def arithmetic(self, expr: Expr) -> bool:
        """Whether it computes with whole numbers, and looks nothing up at q or k."""
        match expr:
            case Index():
                return not self.read(expr)
            case Literal(value=value):
                return type(value) is int
            case Name(id=word) if word in self.numbers:
                return not isinstance(self.numbers[word].value, float)
            case _:
                return all(map(self.arithmetic, children(expr)))


def looks_up(expr: Expr) -> bool:
    """Whether an element of a tensor at q or k is read."""
    inside = isinstance(expr, Index) and bool({"q", "k"} & {word for x in expr.items for word in names(x)})
    return inside or any(map(looks_up, children(expr)))


def left(expr: Expr) -> Term:
    return Term("data" if looks_up(expr) else "left", expr)


def at_most(a: Expr, b: Expr, places: Places) -> Term | None:
    """`a <= b` as a term; None where it cannot be solved."""
    if not (places.arithmetic(a) and places.arithmetic(b)):
        return None
    read = places.read(a) | places.read(b)
    if not read:
        return Term("if", Binary("<=", a, b))
    place = places.walked if places.walked in read else places.own
    if [*names(a), *names(b)].count(place) != 1:
        return None
    upper = place in names(a)
    solved = _solved(a, True, b, place, places) if upper else _solved(b, False, a, place, places)
    if solved is None or ends(solved[1], places, Name("low"), Name("high")) is None:
        return None
    upper, limit = solved
    if place == places.walked:
        return Term("upper" if upper else "lower", limit)
    return Term("last" if upper else "first", limit)


def _solved(x: Expr, upper: bool, limit: Expr, place: str, places: Places) -> tuple[bool, Expr] | None:
    """The bound of the one place in x, and whether it is an upper one; `upper`: x <= limit, or x >= limit."""
    match x:
        case Name():
            return upper, plus(limit)
        case Unary(op="-", operand=y):
            return _solved(y, not upper, minus(ZERO, limit), place, places)
        case Binary(op="+", left=a, right=b):
            inner, other = (a, b) if place in names(a) else (b, a)
            return _solved(inner, upper, minus(limit, other), place, places)
        case Binary(op="-", left=a, right=b) if place in names(a):
            return _solved(a, upper, plus(limit, b), place, places)
        case Binary(op="-", left=a, right=b):
            return _solved(b, not upper, minus(a, limit), place, places)
        case Binary(op="*" | "//" as op, left=a, right=b):
            inner, n = (a, b) if place in names(a) or op == "//" else (b, a)
            if places.read(n) or not places.positive(n):
                return None
            return _solved(inner, upper, _undone(op, upper, limit, n), place, places)
        case _:
            return None


def _undone(op: str, upper: bool, limit: Expr, n: Expr) -> Expr:
    """What bounds x where `limit` bounds `x * n` or `x // n`, for n above 0."""
    if op == "*":
        return floor(limit, n) if upper else ceil(limit, n)
    return plus(times(limit, n), n, -1) if upper else times(limit, n)


def ends(expr: Expr, places: Places, low: Expr, high: Expr) -> tuple[Expr, Expr] | None:
    """The least and the most that `expr` may be, while the own place goes from `low` to `high`."""
    if not places.read(expr):
        return expr, expr
    match expr:
        case Name():
            return low, high
        case Unary(op="-", operand=x):
            found = ends(x, places, low, high)
            return found and (minus(ZERO, found[1]), minus(ZERO, found[0]))
        case Binary(op=op, left=a, right=b):
            left, right = (ends(x, places, low, high) for x in (a, b))
            return left and right and _combined(op, left, right, b, places)
        case _:
            return None


def _combined(
    op: str, a: tuple[Expr, Expr], b: tuple[Expr, Expr], divisor: Expr, places: Places
) -> tuple[Expr, Expr] | None:
    if op == "+":
        return plus(a[0], b[0]), plus(a[1], b[1])
    if op == "-":
        return minus(a[0], b[1]), minus(a[1], b[0])
    if op == "*":
        return _product(a, b, places)
    if places.read(divisor) or not places.positive(divisor):
        return None
    return (floor(a[0], divisor), floor(a[1], divisor)) if op == "//" else (ZERO, plus(divisor, -1))


def _product(a: tuple[Expr, Expr], b: tuple[Expr, Expr], places: Places) -> tuple[Expr, Expr] | None:
    """For a factor above 0."""
    for x, n in ((a, b), (b, a)):
        if n[0] == n[1] and places.positive(n[0]):
            return times(x[0], n[0]), times(x[1], n[0])
    return None


def offset(expr: Expr, places: Places, factor: Expr = ONE) -> tuple[Expr, Expr] | None:
    """The least and the most that `expr * factor` lies beyond the own place, wherever that is.

    `q - w + 1`: 1 - w on both sides; `q // c * c`: from 1 - c to 0. None for what does not go along with it.
    """
    match expr:
        case Name(id=places.own) if factor == ONE:
            return ZERO, ZERO
        case Binary(op="+" | "-" as op, left=a, right=b) if op == "+" or not places.read(b):
            inner, other = (a, b) if places.read(a) else (b, a)
            found = None if places.read(other) else offset(inner, places, factor)
            more = times(other, factor) if op == "+" else minus(ZERO, times(other, factor))
            return found and (plus(found[0], more), plus(found[1], more))
        case Binary(op="*", left=a, right=b):
            inner, n = (a, b) if places.read(a) else (b, a)
            return None if places.read(n) else offset(inner, places, times(n, factor))
        case Binary(op="//", left=a, right=by) if gap(by, factor) == 0:
            found = offset(a, places)
            return found and (plus(found[0], 1, minus(ZERO, by)), found[1])
        case _:
            return None


def factors(expr: Expr, places: Places) -> Iterator[Expr]:
    """The numbers, other than literals, that places are multiplied or divided by, where they are above 0."""
    if isinstance(expr, Binary) and expr.op in ("*", "//", "%"):
        for x, n in ((expr.left, expr.right), (expr.right, expr.left)):
            if places.read(x) and not places.read(n) and whole(n) is None and places.positive(n):
                yield n
    for child in children(expr):
        yield from factors(child, places)
