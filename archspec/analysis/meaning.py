"""A mask's rule as a function of a query's and a key's place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from archspec.analysis.terms import UnreadableError
from archspec.dims.expr import Expr, names
from archspec.ir.tiles.values import function

Meaning: TypeAlias = Callable[[int, int], int]


def meaning(rule: Expr, numbers: Mapping[str, int]) -> Meaning:
    """The function (q, k) -> value. Raises UnreadableError for what is no arithmetic of whole numbers."""
    if not set(names(rule)) <= {"q", "k", *numbers}:
        raise UnreadableError
    try:
        of = function(rule)
    except ValueError:
        raise UnreadableError from None
    scope = dict(numbers)

    def at(q: int, k: int) -> int:
        scope["q"], scope["k"] = q, k
        return of(scope)

    return at
