"""Polynomials with integer coefficients over symbols: the canonical form of a symbolic integer.

Two sizes are equal where their polynomials are. `//` and `%` that do not come out even stay as
opaque atoms over canonical operands, so `(S + 1) // 2` equals itself and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, reduce
from typing import TypeAlias

from msgspec import Struct

from archspec.dims.expr import Binary, Expr, Literal, Name, Unary, write

MAX_PRODUCTS = 4096
_remembered = lru_cache(1 << 14)  # layers alike, and layouts of one model, ask the same again


class Symbol(Struct, frozen=True, order=True, cache_hash=True):
    """A size known only when the model runs."""

    name: str


class Quotient(Struct, frozen=True, cache_hash=True):
    """`floor(top / bottom)` or, for `op` `%`, the remainder; not reducible."""

    op: str
    top: Poly
    bottom: Poly


Atom: TypeAlias = Symbol | Quotient
Monomial: TypeAlias = tuple[tuple[Atom, int], ...]


class Poly(Struct, frozen=True, cache_hash=True):
    """A sum of `coefficient * monomial`, sorted; at least one symbol, or it would be an int."""

    terms: tuple[tuple[Monomial, int], ...]


Size: TypeAlias = int | Poly


def symbol(name: str) -> Poly:
    return Poly(((((Symbol(name), 1),), 1),))


def _terms(x: Size) -> dict[Monomial, int]:
    return dict(x.terms) if isinstance(x, Poly) else ({(): x} if x else {})


def _build(terms: Mapping[Monomial, int]) -> Size:
    kept = {m: c for m, c in terms.items() if c}
    if set(kept) <= {()}:
        return kept.get((), 0)
    return Poly(tuple(sorted(kept.items(), key=lambda item: repr(item[0]))))


@_remembered
def add(a: Size, b: Size) -> Size:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    out = _terms(a)
    for monomial, coefficient in _terms(b).items():
        out[monomial] = out.get(monomial, 0) + coefficient
    return _build(out)


def _times(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=repr))


@_remembered
def mul(a: Size, b: Size) -> Size:
    """Raises `OverflowError` where the product would have too many terms."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    if len(_terms(a)) * len(_terms(b)) > MAX_PRODUCTS:
        raise OverflowError
    out: dict[Monomial, int] = {}
    for ma, ca in _terms(a).items():
        for mb, cb in _terms(b).items():
            monomial = _times(ma, mb)
            out[monomial] = out.get(monomial, 0) + ca * cb
    return _build(out)


def neg(a: Size) -> Size:
    return mul(a, -1)


def power(a: Size, n: int) -> Size:
    out: Size = 1
    for _ in range(n):
        out = mul(out, a)
    return out


def _divide(monomial: Monomial, by: Monomial) -> Monomial | None:
    powers = dict(monomial)
    for atom, power in by:
        powers[atom] = powers.get(atom, 0) - power
    if any(p < 0 for p in powers.values()):
        return None
    return tuple((atom, p) for atom, p in powers.items() if p)


@_remembered
def divmod_(a: Size, b: Size) -> tuple[Size, Size]:
    """`(a // b, a % b)`; the part of `a` that `b`'s single term divides comes out exactly."""
    if isinstance(a, int) and isinstance(b, int):
        return divmod(a, b)
    if a == b:
        return 1, 0
    whole, rest = _split(a, b)
    if rest == 0:
        return whole, 0
    if isinstance(rest, int) and isinstance(b, int):
        quotient, remainder = divmod(rest, b)
        return add(whole, quotient), remainder
    return add(whole, _atom("//", rest, b)), _atom("%", rest, b)


def _split(a: Size, b: Size) -> tuple[Size, Size]:
    terms = _terms(b)
    if len(terms) != 1:
        return 0, a
    ((by, divisor),) = terms.items()
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in _terms(a).items():
        left = _divide(monomial, by) if coefficient % divisor == 0 else None
        if left is None:
            rest[monomial] = coefficient
        else:
            whole[left] = coefficient // divisor
    return _build(whole), _build(rest)


def _atom(op: str, top: Size, bottom: Size) -> Poly:
    return Poly(((((Quotient(op, _poly(top), _poly(bottom)), 1),), 1),))


def _poly(x: Size) -> Poly:
    return x if isinstance(x, Poly) else Poly((((), x),))


def evaluate(x: Size, values: Mapping[str, int | Poly]) -> Size:
    """`x` with symbols replaced; symbols not named stay. Raises `ZeroDivisionError`."""
    if isinstance(x, int):
        return x
    out: Size = 0
    for monomial, coefficient in x.terms:
        term: Size = coefficient
        for atom, exponent in monomial:
            term = mul(term, power(_evaluate_atom(atom, values), exponent))
        out = add(out, term)
    return out


def _evaluate_atom(atom: Atom, values: Mapping[str, int | Poly]) -> Size:
    if isinstance(atom, Symbol):
        return values.get(atom.name, symbol(atom.name))
    quotient, rest = divmod_(evaluate(atom.top, values), evaluate(atom.bottom, values))
    return quotient if atom.op == "//" else rest


@_remembered
def symbols(x: Size) -> frozenset[str]:
    if isinstance(x, int):
        return frozenset()
    found: set[str] = set()
    for monomial, _ in x.terms:
        for atom, _ in monomial:
            found |= {atom.name} if isinstance(atom, Symbol) else symbols(atom.top) | symbols(atom.bottom)
    return frozenset(found)


@_remembered
def extent(x: Size) -> tuple[int, int]:
    """How many atoms `x` is made of, inner ones included, and how deep quotients nest."""
    if isinstance(x, int):
        return 0, 0
    inner = [_extent(atom) for monomial, _ in x.terms for atom, _ in monomial]
    return sum(count for count, _ in inner), max((depth for _, depth in inner), default=0)


def _extent(atom: Atom) -> tuple[int, int]:
    if isinstance(atom, Symbol):
        return 1, 1
    (top, above), (bottom, below) = extent(atom.top), extent(atom.bottom)
    return 1 + top + bottom, 1 + max(above, below)


@_remembered
def show(x: Size) -> str:
    """Canonical text, which the expression parser reads back to the same polynomial."""
    return write(tree(x))


@_remembered
def tree(x: Size) -> Expr:
    """`x` as an expression: higher powers first."""
    if isinstance(x, int):
        return Literal(x)
    ordered = sorted(x.terms, key=lambda term: (-sum(power for _, power in term[0]), repr(term[0])))
    (monomial, coefficient), *others = ordered
    out = _term(monomial, coefficient)
    for monomial, coefficient in others:
        out = Binary("-" if coefficient < 0 else "+", out, _term(monomial, abs(coefficient)))
    return out


def _term(monomial: Monomial, coefficient: int) -> Expr:
    factors = [_factor(atom, power) for atom, power in monomial]
    if coefficient == -1 and factors:
        factors[0] = Unary("-", factors[0])
    elif coefficient != 1 or not factors:
        factors.insert(0, Literal(coefficient))
    return reduce(lambda left, right: Binary("*", left, right), factors)


def _factor(atom: Atom, power: int) -> Expr:
    base = Name(atom.name) if isinstance(atom, Symbol) else Binary(atom.op, tree(atom.top), tree(atom.bottom))
    return Binary("**", base, Literal(power)) if power > 1 else base
