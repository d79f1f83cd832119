"""Whole-number arithmetic on expressions, written as shortly as it goes."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.dims.expr import Binary, Call, Conditional, Expr, Literal, Unary

ZERO, ONE = Literal(0), Literal(1)


def whole(expr: Expr) -> int | None:
    """The number that an expression is."""
    value = expr.value if isinstance(expr, Literal) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def plus(*parts: Expr | int) -> Expr:
    """The sum, with equal terms taken together."""
    return _written(_summed((part, 1) for part in parts))


def minus(a: Expr, b: Expr | int) -> Expr:
    return _written(_summed(((a, 1), (b, -1))))


def gap(a: Expr, b: Expr) -> int | None:
    """`a - b` where that is the same number for all values."""
    terms = _summed(((a, 1), (b, -1)))
    return terms.get(ZERO, 0) if not set(terms) - {ZERO} else None


def times(a: Expr, b: Expr) -> Expr:
    for x, y in ((a, b), (b, a)):
        factor = whole(x)
        if factor is not None:
            return _written({term: n * factor for term, n in _summed([(y, 1)]).items()})
    return Binary("*", a, b)


def floor(a: Expr, by: Expr) -> Expr:
    """`a // by`, for a divisor above 0."""
    top, bottom = whole(a), whole(by)
    if top == 0 or bottom == 1:
        return a
    return Literal(top // bottom) if top is not None and bottom is not None else Binary("//", a, by)


def ceil(a: Expr, by: Expr) -> Expr:
    return ZERO if whole(a) == 0 else floor(plus(a, by, -1), by)


def least(*xs: Expr) -> Expr:
    return _extreme("min", xs, -1)


def most(*xs: Expr) -> Expr:
    return _extreme("max", xs, 1)


def between(x: Expr, low: Expr, high: Expr) -> Expr:
    """`x`, but not below `low` and not above `high`; `low` where those are the wrong way round."""
    return most(least(x, high), low)


def choose(tests: Iterable[Expr], then: Expr, orelse: Expr) -> Expr:
    """`then` where all tests hold."""
    together = both(tests)
    return then if together is None or then == orelse else Conditional(together, then, orelse)


def both(tests: Iterable[Expr]) -> Expr | None:
    """The tests joined by `and`; None where there are none."""
    return _joined("and", tests)


def either(tests: Iterable[Expr]) -> Expr | None:
    """The tests joined by `or`; None where there are none."""
    return _joined("or", tests)


def _joined(op: str, tests: Iterable[Expr]) -> Expr | None:
    out: Expr | None = None
    for test in dict.fromkeys(tests):
        out = test if out is None else Binary(op, out, test)
    return out


def _summed(parts: Iterable[tuple[Expr | int, int]]) -> dict[Expr, int]:
    """How often each term occurs; the plain number is that of `0`."""
    out: dict[Expr, int] = {}
    for part, n in parts:
        for term, often in _terms(Literal(part) if isinstance(part, int) else part):
            out[term] = out.get(term, 0) + n * often
    return {term: n for term, n in out.items() if n}


def _terms(expr: Expr) -> list[tuple[Expr, int]]:
    number = whole(expr)
    if number is not None:
        return [(ZERO, number)]
    match expr:
        case Unary(op="-", operand=x):
            return [(term, -n) for term, n in _terms(x)]
        case Binary(op="+" | "-" as op, left=a, right=b):
            sign = 1 if op == "+" else -1
            return [*_terms(a), *((term, sign * n) for term, n in _terms(b))]
        case Binary(op="*", left=Literal(value=int() as n), right=x):
            return [(term, n * often) for term, often in _terms(x)]
        case _:
            return [(expr, 1)]


def _written(terms: dict[Expr, int]) -> Expr:
    """What is added before what is taken away, the plain number last."""
    number = terms.get(ZERO, 0)
    others = sorted(((t, n) for t, n in terms.items() if t != ZERO and n), key=lambda item: item[1] < 0)
    if number and (not others or (others[0][1] < 0 < number)):
        others = [(ZERO, number), *others]
    elif number:
        others.append((ZERO, number))
    out: Expr | None = None
    for term, n in others:
        out = _added(out, term, n)
    return ZERO if out is None else out


def _added(out: Expr | None, term: Expr, n: int) -> Expr:
    size = Literal(abs(n)) if term == ZERO else term if abs(n) == 1 else Binary("*", Literal(abs(n)), term)
    if out is not None:
        return Binary("-" if n < 0 else "+", out, size)
    if term == ZERO:
        return Literal(n)
    return Unary("-", size) if n < 0 else size


def _extreme(function: str, xs: Iterable[Expr], sign: int) -> Expr:
    """The largest (`sign` 1) or the least; of those that differ by a number only one is kept."""
    kept: list[Expr] = []
    for x in (inner for each in xs for inner in _inner(function, each)):
        if any(_beats(other, x, sign) for other in kept):
            continue
        kept = [*(other for other in kept if not _beats(x, other, sign)), x]
    return kept[0] if len(kept) == 1 else Call(function, tuple(kept))


def _beats(a: Expr, b: Expr, sign: int) -> bool:
    apart = gap(a, b)
    return apart is not None and sign * apart >= 0


def _inner(function: str, expr: Expr) -> tuple[Expr, ...]:
    return expr.args if isinstance(expr, Call) and expr.function == function else (expr,)
