"""Polynomials through whole numbers, evaluated exactly (Lagrange's form)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from msgspec import Struct

HIGHEST = 3  # degree that is looked for: a total of a matrix is of the second in its width


class InexactError(Exception):
    """No polynomial with whole values goes through the points."""


class Line(Struct, frozen=True):
    """Weights of the values at nodes, for each place: numerators, and their common denominator."""

    weights: tuple[tuple[int, ...], ...]
    denominator: int

    @classmethod
    def through(cls, nodes: Sequence[int], places: Sequence[int]) -> Line:
        """The polynomial through different nodes, at these places."""
        below = [prod(a - b for b in nodes if b != a) for a in nodes]
        common = abs(prod(below))
        rows = (
            tuple(
                common // below[i] * prod(x - b for k, b in enumerate(nodes) if k != i)
                for i in range(len(nodes))
            )
            for x in places
        )
        return cls(tuple(rows), common)

    def at(self, place: int, values: Sequence[int]) -> int:
        """Raises InexactError where the value is no whole number."""
        total = sum(w * v for w, v in zip(self.weights[place], values, strict=True))
        whole, rest = divmod(total, self.denominator)
        if rest:
            raise InexactError
        return whole


def degree(places: Sequence[int], values: Sequence[int]) -> int | None:
    """The least degree of a polynomial through all of them, that leaves at least one of them as a proof."""
    for candidate in range(min(HIGHEST, len(places) - 2) + 1):
        chosen = spread(len(places), candidate + 1)
        line = Line.through([places[i] for i in chosen], places)
        try:
            if all(line.at(i, [values[k] for k in chosen]) == value for i, value in enumerate(values)):
                return candidate
        except InexactError:
            continue
    return None


def spread(count: int, chosen: int) -> list[int]:
    """So many indices of a list, as far apart as they can be."""
    if chosen == 1:
        return [0]
    return [round(i * (count - 1) / (chosen - 1)) for i in range(chosen)]


def expand(values: Sequence[int], lines: Sequence[Line]) -> list[int]:
    """Values on a grid of nodes (the last axis fastest) to those on the grid of places.

    Raises InexactError.
    """
    found = list(values)
    inner = 1
    for line in reversed(lines):
        nodes, block = len(line.weights[0]), inner
        outer = len(found) // (nodes * block)
        columns = [
            [found[(o * nodes + k) * block + i] for k in range(nodes)]
            for o in range(outer)
            for i in range(block)
        ]
        found = [
            line.at(x, columns[o * block + i])
            for o in range(outer)
            for x in range(len(line.weights))
            for i in range(block)
        ]
        inner *= len(line.weights)
    return found
