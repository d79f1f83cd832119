"""What is assumed of tensors that a mask looks up, since only a run knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archspec.dims.expr import Binary, Expr, Index, Literal, Name, Unary, children, names

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def settled(rule: Expr) -> tuple[Expr, tuple[str, ...]]:
    """The rule without look-ups, and what was assumed in their place.

    A condition holds (no padding, one document), but one that is an alternative does not (no token is
    special), and neither does one of the query alone that picks queries.
    """
    notes = dict[str, None]()
    picking = _looked_up(rule, "q") - _looked_up(rule, "k")
    out = _settle(rule, True, notes, frozenset(picking))
    return out, tuple(notes)


def _settle(rule: Expr, default: bool, notes: dict[str, None], picking: frozenset[str]) -> Expr:
    if isinstance(rule, Unary) and rule.op == "not":
        return replace(rule, operand=_settle(rule.operand, not default, notes, picking))
    if isinstance(rule, Binary) and rule.op in ("and", "or"):
        sides = (rule.left, rule.right)
        alternative = rule.op == "or" and not all(_looks_up(side) for side in sides)
        inner = (default and not alternative) if default else default
        left, right = (_settle(side, inner, notes, picking) for side in sides)
        return replace(rule, left=left, right=right)
    tensors = _tensors(rule)
    if not tensors:
        return rule
    holds = default and not picking & set(tensors)
    notes[f"{', '.join(dict.fromkeys(tensors))}: {_meaning(rule, holds)}"] = None
    return Literal(holds)


def _meaning(rule: Expr, holds: bool) -> str:
    if not holds:
        return "taken to be false everywhere"
    return "taken to be equal everywhere" if isinstance(rule, Binary) else "taken to be true everywhere"


def _looks_up(rule: Expr) -> bool:
    """Whether a rule says nothing but what tensors hold."""
    if isinstance(rule, Binary) and rule.op in ("and", "or"):
        return _looks_up(rule.left) and _looks_up(rule.right)
    if isinstance(rule, Unary) and rule.op == "not":
        return _looks_up(rule.operand)
    return bool(_tensors(rule))


def _indices(rule: Expr) -> Iterator[Index]:
    if isinstance(rule, Index):
        yield rule
    for child in children(rule):
        yield from _indices(child)


def _tensors(rule: Expr) -> list[str]:
    return [index.base.id for index in _indices(rule) if isinstance(index.base, Name)]


def _looked_up(rule: Expr, place: str) -> set[str]:
    """The tensors that are looked up at this place."""
    return {
        index.base.id
        for index in _indices(rule)
        if isinstance(index.base, Name) and any(place in names(item) for item in index.items)
    }
