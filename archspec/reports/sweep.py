"""Totals over a grid of params and sizes: few points are lowered, most follow from them in closed form.

What makes a graph refuse some numbers (heads that do not divide a width) reads some params and not others.
A param is *free* where numbers that divide by nothing, and both ends of its list, are accepted beside other
settings of the rest, and where each total along it is a polynomial. Every combination of the params that are
not free is lowered; along free ones totals are interpolated in exact integers. Beside each such combination a
number that divides by nothing is lowered for each free param: where it is not what the form says, all points
of that combination are lowered. At last some points in between are: where one differs, every point is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod
from random import Random
from typing import TypeAlias

from msgspec import Struct

from archspec.errors import ArchspecError, Diagnostic, did_you_mean
from archspec.ir.graph import Graph
from archspec.reports.freedom import Free, free_axes
from archspec.reports.interpolation import InexactError, Line, expand
from archspec.reports.question import Question
from archspec.reports.totals import TOTALS, Setting, totals

Point: TypeAlias = tuple[object, ...]
Row: TypeAlias = tuple[int | None, ...]
Found: TypeAlias = list[Row | str]
FEW = 48  # points that are lowered without a closed form
_PROOFS = 6


class Swept(Struct, frozen=True):
    """A sweep: `axes` by name, params first, then sizes; `rows` in the order of their product.

    A row holds the totals `of`, or what is wrong at its point. `lowered` graphs were built of `combinations`
    of params, `exact` of these from their own graphs; `free` names the params along which the others come
    from a closed form, and `proven` says whether it held. `sizes` are the axes that are run-time sizes.
    """

    axes: Mapping[str, tuple[object, ...]]
    of: tuple[str, ...]
    rows: Found
    combinations: int
    lowered: int
    exact: int
    free: tuple[str, ...]
    sizes: tuple[str, ...] = ()
    proven: bool = True


class Sweep:
    """A grid over params, each point of it lowered at most once."""

    def __init__(
        self, lowered: Callable[[Mapping[str, object]], Graph], params: Mapping[str, tuple[object, ...]],
        sizes: Mapping[str, tuple[int, ...]], of: Sequence[str], question: Question,
    ) -> None:  # fmt: skip
        _check(of, params, sizes)
        self.lower, self.params, self.sizes, self.of, self.question = (
            lowered,
            params,
            sizes,
            tuple(of),
            question,
        )
        self.settings: list[Setting] = [
            dict(zip(sizes, each, strict=True)) for each in product(*sizes.values())
        ]
        self.known = dict[Point, Found]()
        self._params = dict[Point, dict[str, object]]()

    def at(self, point: Point) -> Found:
        """The totals of one combination of params, for each setting of sizes: lowered."""
        if point not in self.known:
            self.known[point] = self._lowered(point)
        return self.known[point]

    def _lowered(self, point: Point) -> Found:
        try:
            graph = self.lower(dict(zip(self.params, point, strict=True)))
        except ArchspecError as error:
            first = error.diagnostics[0]
            return [f"{first.code} {first.message}"] * len(self.settings)
        self._params[point] = {name: getattr(value, "value", value) for name, value in graph.root.bindings}
        return [*totals(graph, self.of, self.settings, self.question)]

    def run(self) -> Swept:
        """Raises ArchspecError A001 where a size is missing."""
        points = list(product(*self.params.values()))
        free = free_axes(self, points) if len(points) > FEW else ()
        if free:
            found = self._formed(points, free)
            if self._proven(points, found):
                return self._swept([row for each in found for row in each], free)
        rows = [row for point in points for row in self.at(point)]
        return self._swept(rows, (), proven=not free)

    def params_at(self, point: Point) -> Mapping[str, object]:
        """Every param of the spec at a point that was lowered; none where it was refused."""
        return self._params.get(point, {})

    def _swept(self, rows: Found, free: Sequence[Free], *, proven: bool = True) -> Swept:
        count = prod(map(len, self.params.values()))
        exact = sum(point in self.known for point in product(*self.params.values())) if free else count
        axes = {**self.params, **self.sizes}
        names = tuple(axis.name for axis in free)
        return Swept(axes, self.of, rows, count, len(self.known), exact, names, tuple(self.sizes), proven)

    def _formed(self, points: Sequence[Point], free: Sequence[Free]) -> list[Found]:
        """All points, by blocks of those that differ in free params only."""
        places = [axis.place for axis in free]
        rest = [(name, i) for i, name in enumerate(self.params) if i not in places]
        index = {point: i for i, point in enumerate(points)}
        found: list[Found] = [[] for _ in points]
        grid = list(product(*(self.params[axis.name] for axis in free)))
        lines = [Line.through(axis.nodes, self._integers(axis.name)) for axis in free]
        for fixed in product(*(self.params[name] for name, _ in rest)):
            merged = _Merge(places, [i for _, i in rest], fixed)
            try:
                block = self._block(merged, free, lines)
            except InexactError:
                block = [self.at(merged(values)) for values in grid]
            for values, rows in zip(grid, block, strict=True):
                found[index[merged(values)]] = rows
        return found

    def _block(self, merged: _Merge, free: Sequence[Free], lines: Sequence[Line]) -> list[Found]:
        """The points of a block in the order of its free params. Raises InexactError."""
        self._probe(merged, free)
        corners = [self.at(merged(nodes)) for nodes in product(*(axis.nodes for axis in free))]
        size = prod(len(line.weights) for line in lines)
        columns = [
            self._column([corner[k] for corner in corners], lines, size) for k in range(len(self.settings))
        ]
        return [list(each) for each in zip(*columns, strict=True)]

    def _probe(self, merged: _Merge, free: Sequence[Free]) -> None:
        """A block is what it seems at its nodes: numbers that divide by nothing give what the form says.

        Where it is refused, the reason must name params, and none that a free one moves. Raises InexactError.
        """
        first = tuple(axis.nodes[0] for axis in free)
        reasons = {row for row in self.at(merged(first)) if isinstance(row, str)}
        if not self.params_at(merged(first)):
            moved = frozenset[str]().union(*(axis.moves for axis in free))
            if not all(self._concerns_others(reason, moved) for reason in reasons):
                raise InexactError
            return
        corners = [self.at(merged(nodes)) for nodes in product(*(axis.nodes for axis in free))]
        lines = [Line.through(axis.nodes, [axis.probe]) for axis in free]
        probed = self.at(merged(tuple(axis.probe for axis in free)))
        for s, row in enumerate(probed):
            if self._column([corner[s] for corner in corners], lines, 1) != [row]:
                raise InexactError

    def _concerns_others(self, reason: str, moved: frozenset[str]) -> bool:
        words = set(re.findall(r"\w+", reason))
        return not words & moved and bool(words & set(self.params))

    def _column(self, corners: Sequence[Row | str], lines: Sequence[Line], size: int) -> Found:
        """One setting of sizes. What is refused at the nodes is refused between them."""
        refused = [corner for corner in corners if isinstance(corner, str)]
        if refused:
            if len(refused) < len(corners):
                raise InexactError
            return [refused[0]] * size
        rows = [corner for corner in corners if not isinstance(corner, str)]
        by_total = [self._values([row[t] for row in rows], lines, size) for t in range(len(self.of))]
        return list(zip(*by_total, strict=True))

    def _values(self, values: Sequence[int | None], lines: Sequence[Line], size: int) -> Sequence[int | None]:
        numbers = [value for value in values if value is not None]
        if len(numbers) < len(values):
            if numbers:
                raise InexactError
            return [None] * size
        return expand(numbers, lines)

    def _proven(self, points: Sequence[Point], found: Sequence[Found]) -> bool:
        """Points that were not lowered before, lowered now."""
        others = [i for i, point in enumerate(points) if point not in self.known]
        chosen = Random(0).sample(others, min(_PROOFS, len(others)))  # the same ones each time
        return all(self.at(points[i]) == found[i] for i in chosen)

    def _integers(self, name: str) -> list[int]:
        return [value for value in self.params[name] if isinstance(value, int)]


class _Merge:
    """A point of the grid from its free values and its other ones."""

    def __init__(self, free: Sequence[int], rest: Sequence[int], fixed: Point) -> None:
        self.order = sorted(range(len(free) + len(rest)), key=[*free, *rest].__getitem__)
        self.fixed = fixed

    def __call__(self, values: Point) -> Point:
        both = (*values, *self.fixed)
        return tuple(both[i] for i in self.order)


def _check(of: Sequence[str], params: Mapping[str, object], sizes: Mapping[str, object]) -> None:
    """Raises ArchspecError A006 for a total that there is not, or a name that is both."""
    for name in of:
        if name not in TOTALS:
            hint = did_you_mean(name, TOTALS) or f"there is: {', '.join(TOTALS)}"
            raise ArchspecError(Diagnostic("A006", f"no total is called '{name}'", None, hint))
    for name in params:
        if name in sizes:
            hint = "params are set, sizes are given"
            raise ArchspecError(Diagnostic("A006", f"'{name}' is swept as a param and as a size", None, hint))
