"""The pairs of a rule, counted between the cuts where one of its comparisons changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from archspec.analysis.distances import by_distance, count_distances
from archspec.analysis.meaning import Meaning, meaning
from archspec.analysis.terms import Floor, Sum, UnreadableError, comparisons
from archspec.dims.expr import Expr

MOST_BLOCKS, MOST_CLASSES = 2048, 20_000


def count_between(rule: Expr, queries: range, keys: int, numbers: Mapping[str, int]) -> int:
    """The pairs of `queries` and `keys` places that a rule over q, k and numbers lets through.

    Raises UnreadableError where the rule is no comparison of sums, or would take too long.
    """
    sums = tuple(dict.fromkeys(comparisons(rule, numbers)))
    blocked = {f for s in sums for f in s.floors if _steps(f, len(queries))}
    plan = _Plan.of(sums, blocked, meaning(rule, numbers), keys)
    if by_distance(sums):
        cuts = [cut for each in plan.cutting for cut in _cut(each, 0)]
        return count_distances(plan.holds, cuts, plan.period, queries, keys)
    blocks = list(pairwise(_bounds(blocked, queries)))
    if len(blocks) * plan.stride > MOST_CLASSES:
        raise UnreadableError
    return sum(
        plan.counted(range(low + first, high, plan.stride))
        for low, high in blocks
        for first in range(min(plan.stride, high - low))
    )


def _steps(floor: Floor, queries: int) -> bool:
    """Whether a floor is best seen as a number that changes from block to block of queries."""
    return floor.key == 0 and abs(floor.query) == 1 and floor.divisor * MOST_BLOCKS >= queries


def _bounds(blocked: set[Floor], queries: range) -> list[int]:
    """Where a block begins, and the end."""
    starts = {queries.start}
    for floor in blocked:
        phase = -floor.query * floor.constant + (0 if floor.query > 0 else 1)
        first = queries.start + (phase - queries.start) % floor.divisor
        starts.update(range(first, queries.stop, floor.divisor))
    return [*sorted(starts), queries.stop] if len(queries) else [queries.start]


@dataclass(frozen=True, slots=True)
class _Plan:
    """`alone` read the query only, `cutting` rise or fall with the key, the others repeat along it.

    Among queries `stride` apart all cuts move evenly; between cuts the rule repeats every `period` keys.
    """

    alone: tuple[Sum, ...]
    cutting: tuple[Sum, ...]
    stride: int
    period: int
    holds: Meaning
    keys: int

    @classmethod
    def of(cls, sums: Sequence[Sum], blocked: set[Floor], holds: Meaning, keys: int) -> _Plan:
        alone, cutting, stride, period = list[Sum](), list[Sum](), 1, 1
        for each in sums:
            rises = list(each.rises())
            moving = tuple(f for f in each.floors if f not in blocked)
            free = Sum(each.query, each.key, each.constant, moving)
            if not any(rises):
                alone.append(each)
                stride = math.lcm(stride, free.period)
            elif all(r >= 0 for r in rises) or all(r <= 0 for r in rises):
                cutting.append(each)
                stride = math.lcm(stride, _stride(free))
            elif sum(rises) == 0:
                stride, period = math.lcm(stride, free.period), math.lcm(period, free.period)
            else:
                raise UnreadableError
        return cls(tuple(alone), tuple(cutting), math.lcm(stride, period), period, holds, keys)

    def counted(self, queries: range) -> int:
        """The pairs of queries `stride` apart."""
        starts = sorted(n for n in self._turns(queries) if 0 <= n < len(queries))
        total = 0
        for low, high in pairwise([*starts, len(queries)]):
            ends = self._seen(queries[low]) + self._seen(queries[high - 1])
            total += ends * (high - low)
        return total // 2

    def _turns(self, queries: range) -> set[int]:
        """Where the number of keys may go on otherwise than before."""
        places = [(0, 0), (self.keys, 0)]
        first, second = queries.start, queries.start + self.stride
        places += [(a, b - a) for a, b in zip(self._cuts(first), self._cuts(second), strict=True)]
        if any(step % self.period for _, step in places):
            raise UnreadableError
        turns = {0}
        for (a, step_a), (b, step_b) in combinations(dict.fromkeys(places), 2):
            turns.update(_zero(a - b, step_a - step_b))
        for each in self.alone:
            now = each.at(first, 0)
            turns.update(_zero(now, each.at(second, 0) - now))
        return turns

    def _cuts(self, q: int) -> list[int]:
        return [cut for each in self.cutting for cut in _cut(each, q)]

    def _seen(self, q: int) -> int:
        """How many keys the query sees."""
        cuts = sorted({0, self.keys, *(cut for cut in self._cuts(q) if 0 < cut < self.keys)})
        return sum(self._between(q, low, high) for low, high in pairwise(cuts))

    def _between(self, q: int, low: int, high: int) -> int:
        """Keys that are seen between two cuts, where the rule repeats."""
        period = self.period
        places = range(low, min(high, low + period))
        return sum((high - k + period - 1) // period for k in places if self.holds(q, k))


def _stride(each: Sum) -> int:
    """How far the query has to go for the cut to move by a whole number of periods."""
    base = each.period
    rise = sum(each.rises())
    moved = each.query * base + sum(f.times * f.query * base // f.divisor for f in each.floors)
    still = each.query == 0 and all(f.query == 0 for f in each.floors)
    return 1 if still else base * abs(rise) // math.gcd(rise, moved)


def _zero(value: int, step: int) -> Iterator[int]:
    """The whole numbers from which on `value + n * step` has another sign."""
    if step:
        yield -(value // step)
        yield -value // step + 1


def _cut(each: Sum, q: int) -> tuple[int, int]:
    """The first keys from which on a sum that rises is at least 0, and above 0; falling, the reverse."""
    sign = 1 if sum(each.rises()) > 0 else -1
    return _first(each, q, sign, 0), _first(each, q, sign, 1)


def _first(each: Sum, q: int, sign: int, least: int) -> int:
    """The first key where `sign` times the sum is `least` or more."""
    if not each.floors:
        rest = each.query * q + each.constant
        return -((sign * rest - least) // abs(each.key))
    low, high = -1, 1
    while sign * each.at(q, low) >= least:
        low *= 2
    while sign * each.at(q, high) < least:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if sign * each.at(q, middle) >= least else (middle, high)
    return high
