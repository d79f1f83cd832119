"""Which params of a sweep are free: no number of them is refused, and totals are polynomials in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Protocol

from msgspec import Struct

from archspec.reports.interpolation import degree, spread

_SEEN = 5  # places along a param that are looked at
_BASES = 8  # points that are tried as the middle of it all


class Grid(Protocol):
    """What is asked of a sweep."""

    @property
    def params(self) -> Mapping[str, tuple[object, ...]]: ...

    def at(self, point: tuple[object, ...]) -> list[tuple[int | None, ...] | str]: ...

    def params_at(self, point: tuple[object, ...]) -> Mapping[str, object]:
        """Every param of the spec where it was lowered."""
        ...


class Free(Struct, frozen=True):
    """A free param: its name, its place among all, and the values between which totals are interpolated.

    `probe` is a number between them that divides by nothing; `moves` names the params that depend on it.
    """

    name: str
    place: int
    nodes: tuple[int, ...]
    probe: int
    moves: frozenset[str]


def free_axes(grid: Grid, points: Sequence[tuple[object, ...]]) -> tuple[Free, ...]:
    """The params along which totals have a closed form; none where the grid has no point to begin with."""
    tried = [points[i] for i in spread(len(points), _BASES)]
    base = next((point for point in tried if _accepted(grid, point)), None)
    if base is None:
        return ()
    found = [
        axis for place, name in enumerate(grid.params) if (axis := _free(grid, base, place, name)) is not None
    ]
    found = _apart(grid, base, found)
    return found if _ends_accepted(grid, base, found) else ()


def _apart(grid: Grid, base: tuple[object, ...], axes: Sequence[Free]) -> tuple[Free, ...]:
    """Those that have nothing to do with each other: what divides by nothing is accepted beside a large one.

    Alone neither may show it: beside one head no width is refused, and five may divide the base's width.
    """
    tied = {
        axis.name
        for a, b in permutations(axes, 2)
        if not _accepted(grid, _replaced(_replaced(base, a.place, a.probe), b.place, max(_numbers(grid, b))))
        for axis in (a, b)
    }
    return tuple(axis for axis in axes if axis.name not in tied)


def _accepted(grid: Grid, point: tuple[object, ...]) -> bool:
    """Whether the graph exists there; sizes that do not fit it are another matter."""
    return not all(isinstance(row, str) for row in grid.at(point))


def _free(grid: Grid, base: tuple[object, ...], place: int, name: str) -> Free | None:
    values = grid.params[name]
    numbers = sorted({v for v in values if isinstance(v, int) and not isinstance(v, bool)})
    if len(numbers) < len(values) or len(numbers) < 3:
        return None
    probes = list(_primes(numbers))
    if not probes:
        return None
    seen = sorted({*(numbers[i] for i in spread(len(numbers), min(_SEEN, len(numbers)))), *probes})
    lines = [grid.at(_replaced(base, place, value)) for value in seen]
    highest = _degree(seen, lines)
    if highest is None or highest + 1 >= len(numbers):
        return None
    nodes = tuple(numbers[i] for i in spread(len(numbers), highest + 1))
    ends = [grid.params_at(_replaced(base, place, value)) for value in (seen[0], seen[-1])]
    moves = frozenset(key for key in {*ends[0], *ends[1]} if ends[0].get(key) != ends[1].get(key))
    return Free(name, place, nodes, probes[len(probes) // 2], moves | {name})


def _degree(places: Sequence[int], lines: Sequence[list[tuple[int | None, ...] | str]]) -> int | None:
    """The highest degree of all totals at all sizes; None where a place is refused or nothing fits."""
    highest = 0
    for rows in zip(*lines, strict=True):
        texts = {row for row in rows if isinstance(row, str)}
        numbers = [row for row in rows if not isinstance(row, str)]
        if texts and (numbers or len(texts) > 1):
            return None
        for values in zip(*numbers, strict=True):
            known = [value for value in values if value is not None]
            found = degree(places, known) if len(known) == len(places) else None if known else 0
            if found is None:
                return None
            highest = max(highest, found)
    return highest


def _ends_accepted(grid: Grid, base: tuple[object, ...], axes: Sequence[Free]) -> bool:
    """Whether free params get along with each other: all at their ends, and each against the others."""
    return all(_accepted(grid, point) for point in _corners(grid, base, axes))


def _corners(grid: Grid, base: tuple[object, ...], axes: Sequence[Free]) -> Iterator[tuple[object, ...]]:
    ends = [(min(values), max(values)) for values in (_numbers(grid, axis) for axis in axes)]
    for side in (0, 1):
        whole = base
        for axis, end in zip(axes, ends, strict=True):
            whole = _replaced(whole, axis.place, end[side])
        yield whole
        for axis, end in zip(axes, ends, strict=True):
            yield _replaced(whole, axis.place, end[1 - side])


def _numbers(grid: Grid, axis: Free) -> list[int]:
    return [value for value in grid.params[axis.name] if isinstance(value, int)]


def _replaced(point: tuple[object, ...], place: int, value: object) -> tuple[object, ...]:
    return (*point[:place], value, *point[place + 1 :])


def _primes(numbers: Sequence[int]) -> Iterator[int]:
    """Primes inside the range of the numbers, near its middle and near its ends, where there are some."""
    low, high = numbers[0], numbers[-1]
    for start in (low + 1, (low + high) // 2, high - (high - low) // 8):
        found = next((n for n in range(max(start, 2), high) if _is_prime(n)), None)
        if found is not None:
            yield found


def _is_prime(number: int) -> bool:
    return all(number % factor for factor in range(2, int(number**0.5) + 1))
