"""Comparisons of places in a mask as sums: a q + b k + c + sum of n * floor(inner / divisor)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from msgspec import Struct

from archspec.dims.expr import Binary, Call, Expr, Literal, Name, Unary


class UnreadableError(Exception):
    """A rule is not made of such sums."""


class Floor(Struct, frozen=True):
    """`times * floor((q * query + k * key + constant) / divisor)`."""

    times: int
    query: int
    key: int
    constant: int
    divisor: int


class Sum(Struct, frozen=True):
    """`q * query + k * key + constant`, and floors."""

    query: int = 0
    key: int = 0
    constant: int = 0
    floors: tuple[Floor, ...] = ()

    def at(self, q: int, k: int) -> int:
        out = self.query * q + self.key * k + self.constant
        return out + sum(f.times * ((f.query * q + f.key * k + f.constant) // f.divisor) for f in self.floors)

    def plus(self, other: Sum, times: int = 1) -> Sum:
        floors = tuple(
            Floor(f.times * times, f.query, f.key, f.constant, f.divisor) for f in other.floors if times
        )
        return Sum(
            self.query + times * other.query, self.key + times * other.key,
            self.constant + times * other.constant, self.floors + floors,
        )  # fmt: skip

    @property
    def period(self) -> int:
        """After how many places each floor has moved by a whole number."""
        return math.lcm(1, *(f.divisor for f in self.floors))

    def rises(self) -> Iterator[int]:
        """What each part gains while `k` goes on by a period."""
        yield self.key * self.period
        yield from (f.times * f.key * self.period // f.divisor for f in self.floors)


def comparisons(rule: Expr, numbers: Mapping[str, int]) -> Iterator[Sum]:
    """The sums whose signs decide a rule: it is a function of whether each is below, at or above 0."""
    match rule:
        case Binary(op="and" | "or", left=a, right=b):
            yield from comparisons(a, numbers)
            yield from comparisons(b, numbers)
        case Unary(op="not", operand=x):
            yield from comparisons(x, numbers)
        case Binary(op="==" | "!=" | "<" | "<=" | ">" | ">=", left=a, right=b):
            yield from _apart(a, b, numbers)
        case Literal(value=bool()):
            return
        case _:
            raise UnreadableError


def _apart(a: Expr, b: Expr, numbers: Mapping[str, int]) -> Iterator[Sum]:
    """The difference, for both signs of what stands between `abs`."""
    for x, y in ((a, b), (b, a)):
        if isinstance(x, Call) and x.function == "abs":
            inner, other = _sum(x.args[0], numbers), _sum(y, numbers)
            yield from (inner, inner.plus(other, -1), inner.plus(other))
            return
    yield _sum(a, numbers).plus(_sum(b, numbers), -1)


def _sum(expr: Expr, numbers: Mapping[str, int]) -> Sum:
    match expr:
        case Name(id="q"):
            return Sum(query=1)
        case Name(id="k"):
            return Sum(key=1)
        case Name(id=name) if name in numbers:
            return Sum(constant=numbers[name])
        case Literal(value=int() as value):
            return Sum(constant=value)
        case Unary(op="-", operand=x):
            return Sum().plus(_sum(x, numbers), -1)
        case Binary(op="+" | "-" as op, left=a, right=b):
            return _sum(a, numbers).plus(_sum(b, numbers), 1 if op == "+" else -1)
        case Binary(op="*" | "//" | "%" as op, left=a, right=b):
            return _scaled(op, _sum(a, numbers), _sum(b, numbers))
        case _:
            raise UnreadableError


def _scaled(op: str, a: Sum, b: Sum) -> Sum:
    if op == "*":
        a, b = (b, a) if _is_number(a) else (a, b)
        return Sum().plus(a, _number(b))
    divisor = _number(b)
    if a.floors or divisor < 1:
        raise UnreadableError
    floor = Floor(1, a.query, a.key, a.constant, divisor)
    return Sum(floors=(floor,)) if op == "//" else a.plus(Sum(floors=(floor,)), -divisor)


def _is_number(x: Sum) -> bool:
    return not (x.query or x.key or x.floors)


def _number(x: Sum) -> int:
    if not _is_number(x):
        raise UnreadableError
    return x.constant
