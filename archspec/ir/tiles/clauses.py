"""A rule as alternatives of terms that must all hold."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import TypeAlias

from archspec.dims.expr import Binary, Call, Expr, Literal, Unary
from archspec.ir.tiles.sums import plus
from archspec.ir.tiles.terms import Places, Term, at_most, left

Clause: TypeAlias = frozenset[Term]

MOST_CLAUSES = 32  # what has more alternatives is not read

_NOT = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_PAIRS = {"==": ("<=", ">="), "!=": ("<", ">")}
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def clauses(rule: Expr, places: Places) -> tuple[Clause, ...]:
    """Alternatives, none of which says what another one says already; () for a rule that never holds."""
    try:
        return _clauses(rule, True, places)
    except _TooManyError:
        return (frozenset({left(rule)}),)


def always_tested(found: Iterable[Clause]) -> Clause:
    """What is tested pair by pair in every alternative."""
    tested = [frozenset(term for term in clause if term.kind in ("left", "data")) for clause in found]
    return frozenset[Term].intersection(*tested) if tested else frozenset()


class _TooManyError(Exception):
    """More alternatives than anybody reads."""


def _least(found: Iterable[Clause]) -> tuple[Clause, ...]:
    """Without alternatives that need more than another one."""
    different = tuple(dict.fromkeys(found))
    if len(different) > MOST_CLAUSES:
        raise _TooManyError
    return tuple(a for a in different if not any(b < a for b in different))


def _clauses(rule: Expr, holds: bool, places: Places) -> tuple[Clause, ...]:
    match rule:
        case Unary(op="not", operand=x):
            return _clauses(x, not holds, places)
        case Binary(op="and" | "or" as op, left=a, right=b):
            sides = (_clauses(x, holds, places) for x in (a, b))
            return _every(*sides) if (op == "and") is holds else _any(*sides)
        case Literal(value=bool() as value):
            return (frozenset(),) if value is holds else ()
        case Binary(op=op, left=a, right=b) if op in _NOT:
            return _compared(op if holds else _NOT[op], a, b, places)
        case _:
            term = rule if holds else Unary("not", rule)
            return (frozenset({left(term) if places.read(rule) else Term("if", term)}),)


def _any(a: Iterable[Clause], b: Iterable[Clause]) -> tuple[Clause, ...]:
    return _least((*a, *b))


def _every(a: Iterable[Clause], b: Iterable[Clause]) -> tuple[Clause, ...]:
    return _least(x | y for x, y in product(a, b))


def _compared(op: str, a: Expr, b: Expr, places: Places) -> tuple[Clause, ...]:
    """A comparison; one that cannot be solved is a term that is left."""
    if isinstance(b, Call) and not isinstance(a, Call):
        return _compared(_TURNED[op], b, a, places)
    if isinstance(a, Call) and a.function == "abs":
        if op in _PAIRS:
            first, second = (_compared(each, a, b, places) for each in _PAIRS[op])
            return (_every if op == "==" else _any)(first, second)
        sides = (_compared(op, x, b, places) for x in (a.args[0], Unary("-", a.args[0])))
        return (_every if op in ("<", "<=") else _any)(*sides)
    solved = _solved(op, a, b, places)
    return (frozenset({left(Binary(op, a, b))}),) if solved is None else solved


def _solved(op: str, a: Expr, b: Expr, places: Places) -> tuple[Clause, ...] | None:
    if not places.read(Binary(op, a, b)) and places.arithmetic(Binary(op, a, b)):
        return (frozenset({Term("if", Binary(op, a, b))}),)
    if op in _PAIRS:
        first, second = (_solved(each, a, b, places) for each in _PAIRS[op])
        if first is None or second is None:
            return None
        return (_every if op == "==" else _any)(first, second)
    low, high = (a, b) if op in ("<", "<=") else (b, a)
    term = at_most(low, plus(high, -1) if op in ("<", ">") else high, places)
    return None if term is None else (frozenset({term}),)
