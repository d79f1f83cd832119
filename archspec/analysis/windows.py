"""The pairs of windows in symbols: a polynomial of the lengths, from the longest window on.

A rule that knows only how far a key is from its query gives one answer between its cuts, which are distances.
As many queries have a key at a distance as the lengths leave: once these reach every cut that number is
linear in them, so that the sum is a polynomial of degree two, which a few counts settle (Newton's forward
differences).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

from msgspec import Struct

from archspec.analysis.cuts import count_between
from archspec.analysis.distances import by_distance
from archspec.analysis.terms import UnreadableError, comparisons
from archspec.dims import poly
from archspec.dims.expr import Expr
from archspec.dims.poly import Size


class Windowed(Struct, frozen=True):
    """`twice` the number of pairs where every length that is a symbol is `least` or more."""

    twice: Size
    least: int


def windowed(rule: Expr, queries: Size, start: Size, numbers: Mapping[str, int]) -> Windowed | None:
    """Of queries at `start`, `start + 1`, … and all keys up to the last query.

    None where the rule divides, or reads more than distances.
    """
    least = _reach(rule, numbers)
    if least is None:
        return None

    def twice(more: int, later: int) -> int:
        q = queries if isinstance(queries, int) else least + more
        s = start if isinstance(start, int) else least + later
        return 2 * count_between(rule, range(s, s + q), s + q, numbers)

    steps = [poly.add(x, -least) if isinstance(x, poly.Poly) else 0 for x in (queries, start)]
    return Windowed(_newton(twice, steps), least)


def _reach(rule: Expr, numbers: Mapping[str, int]) -> int | None:
    """From how many places on every cut lies inside."""
    try:
        sums = tuple(comparisons(rule, numbers))
    except UnreadableError:
        return None
    if not by_distance(sums) or any(f.key for each in sums for f in each.floors):
        return None
    return max((abs(each.at(0, 0)) // abs(each.key) for each in sums if each.key), default=0) or 1


def _newton(twice: Callable[[int, int], int], steps: list[Size]) -> Size:
    """The polynomial of degree two of these steps from where it is counted."""
    x, y = steps
    total: Size = 0
    for i, j in product(range(3), range(3)):
        if i + j < 3 and (i == 0 or x != 0) and (j == 0 or y != 0):
            chosen = poly.mul(_chosen(x, i), _chosen(y, j))
            total = poly.add(total, poly.mul(_difference(twice, i, j), chosen))
    return total


def _difference(twice: Callable[[int, int], int], i: int, j: int) -> int:
    """The i-th forward difference along the one, the j-th along the other; half of it where that is even."""
    signs = {0: (1,), 1: (-1, 1), 2: (1, -2, 1)}
    pairs = product(enumerate(signs[i]), enumerate(signs[j]))
    found = sum(a * b * twice(at, later) for (at, a), (later, b) in pairs)
    return found // 2 if 2 in (i, j) else found


def _chosen(x: Size, count: int) -> Size:
    """x over `count`, times two where that is two."""
    return (1, x, poly.mul(x, poly.add(x, -1)))[count]
