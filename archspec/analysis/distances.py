"""The pairs of a rule that knows only how far a key is from its query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from archspec.analysis.meaning import Meaning
from archspec.analysis.terms import Sum


def by_distance(sums: Sequence[Sum]) -> bool:
    """Whether every comparison depends on `k - q` alone."""
    return all(
        each.query == -each.key and all(f.query == -f.key for f in each.floors) for each in sums
    )  # fmt: skip


def count_distances(holds: Meaning, cuts: Iterable[int], period: int, queries: range, keys: int) -> int:
    """The pairs; between `cuts`, which are distances `k - q`, the rule repeats every `period`.

    So many queries have a key at a distance: a number that rises, stays and falls, evenly between its bends.
    """
    if not queries or not keys:
        return 0
    low, high = -queries[-1], keys - queries[0]
    bends = {low, high, -queries[0], keys - queries[-1] - 1, *cuts}
    pieces = pairwise(sorted(bend for bend in bends if low <= bend <= high))
    return sum(_piece(holds, first, last, period, queries, keys) for first, last in pieces)


def _piece(holds: Meaning, low: int, high: int, period: int, queries: range, keys: int) -> int:
    """Distances from `low` to below `high`, between two bends."""

    def pairs(distance: int) -> int:
        return min(queries[-1], keys - 1 - distance) - max(queries[0], -distance) + 1

    total = 0
    for first in range(low, min(high, low + period)):
        if holds(0, first):
            last = first + (high - 1 - first) // period * period
            total += (pairs(first) + pairs(last)) * ((last - first) // period + 1)
    return total // 2
