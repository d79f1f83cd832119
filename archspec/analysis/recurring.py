"""What a region that runs along an axis costs: each position as it runs, those that are alike at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from archspec.analysis.gradients import Flags
from archspec.analysis.lines import Trace, merged
from archspec.dims import poly
from archspec.dims.poly import Size
from archspec.ir.along import Along

Run = Callable[[Flags, Flags], Trace]


def recurring(name: str, along: Along, size: Size, given: list[Flags], live: Flags, run: Run) -> Trace:
    """The trace of `size` positions; `run` prices one, by what needs gradients and what they come from.

    `given`: what the first positions are given, the last of them for all behind. A size that is a symbol is
    taken as one by which the first and the last positions are all there.
    """
    first = (True,) * len(given[0])
    found = list(_from_the_last(along, size, given, live, run))
    if not found:
        return Trace((), (*live[: along.carried], *given[0][along.carried :]), first)
    lines = [line.at(name).times(count) for one, count in found for line in one.lines]
    lives = [any(column) for column in zip(*(one.live for one, _ in found), strict=True)]
    lives[: along.carried] = found[-1][0].live[: along.carried]
    last = found[0][0].at(name)
    notes = tuple(dict.fromkeys(note for one, _ in found for note in one.notes))
    return Trace(merged(lines), tuple(lives), first, last.keeps, last.rest, notes)


def _from_the_last(
    along: Along, size: Size, given: list[Flags], live: Flags, run: Run
) -> Iterator[tuple[Trace, Size]]:
    """Each position, or as many as are alike, from the last to the first."""
    left, early = size, len(given) - 1
    while not isinstance(left, int) or left > early:
        one = run(given[-1], live)
        before = (*one.live[: along.carried], *live[along.carried :])
        alike = before == live
        yield one, poly.add(left, -early) if alike else 1
        left, live = (early if alike else poly.add(left, -1)), before
    for flags in reversed(given[: int(left)]):
        one = run(flags, live)
        yield one, 1
        live = (*one.live[: along.carried], *live[along.carried :])
