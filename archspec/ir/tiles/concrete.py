"""Plans with numbers put in: lists of tiles, what they cost, and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from archspec.dims.expr import write
from archspec.ir.tiles.plan import Segment, TilePlan, Walk
from archspec.ir.tiles.values import function, value


class Sizes(Struct, frozen=True):
    """Queries and keys in a tile (M, N) and in all (Q, K); the position of the first query among the keys."""

    M: int
    N: int
    Q: int
    K: int
    start: int = 0


class Run(Struct, frozen=True):
    """Tiles from `begin` to before `end`, of a segment."""

    begin: int
    end: int
    segment: Segment


class Cost(Struct, frozen=True):
    """What a kernel computes: tiles visited, `full` ones among them, and the pairs in them, M N each.

    Of one head and one row of the batch; tiles that data may leave out count as visited, `open` of them.
    """

    tiles: int
    full: int
    open: int
    pairs: int


def tiles(plan: TilePlan, walk: Walk, sizes: Sizes, numbers: Mapping[str, int]) -> Iterator[tuple[Run, ...]]:
    """For each tile of the walk's own axis the runs of tiles that it visits; empty runs are left out.

    `numbers`: the rule's, by name, and where the rule reads them `b`, `h` and, as they are written, elements
    of tensors: `"window[h]"`.
    Raises ValueError where a number is not above 0 that the plan divides by.
    """
    given = _given(plan, sizes, numbers)
    lets = [(word, function(expr)) for word, expr in walk.lets]
    ends = [(x, function(x.begin), function(x.end)) for x in walk.segments]
    for tile in range(-(-given[walk.own.length] // given[walk.own.size])):
        given[walk.own.tile] = tile
        for word, meaning in lets:
            given[word] = meaning(given)
        found = (Run(begin(given), end(given), segment) for segment, begin, end in ends)
        yield tuple(run for run in found if run.begin < run.end)


def _given(plan: TilePlan, sizes: Sizes, numbers: Mapping[str, int]) -> dict[str, int]:
    spelt = {word: numbers[name] for word, name in plan.numbers if name in numbers}
    looked_up = {word: number for word, number in numbers.items() if "[" in word or word in ("b", "h")}
    wrong = [write(x) for x in plan.positive if value(x, spelt) < 1]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: not above 0, as the plan takes it to be")
    whole = {"M": sizes.M, "N": sizes.N, "Q": sizes.Q, "K": sizes.K, "start": sizes.start}
    return {**spelt, **looked_up, **whole}


def cost(plan: TilePlan, sizes: Sizes, numbers: Mapping[str, int]) -> Cost:
    """Of the walk along keys."""
    counts = {"all": 0, "full": 0, "open": 0}
    for run in (run for row in tiles(plan, plan.queries, sizes, numbers) for run in row):
        many = run.end - run.begin
        counts["all"] += many
        counts["full"] += many * run.segment.full
        counts["open"] += many * (run.segment.test is not None)
    return Cost(counts["all"], counts["full"], counts["open"], counts["all"] * sizes.M * sizes.N)


def picture(plan: TilePlan, sizes: Sizes, numbers: Mapping[str, int]) -> str:
    """A line for each tile of queries.

    `#` full, `=` only what data or a residue says is tested, `+` the rule is tested pair by pair, `?` data
    picks, `.` not visited.
    """
    count = -(-sizes.K // sizes.N)
    rows = tiles(plan, plan.queries, sizes, numbers)
    return "\n".join("".join(_sign(plan, row, tile) for tile in range(count)) for row in rows)


def _sign(plan: TilePlan, row: tuple[Run, ...], tile: int) -> str:
    found = next((run.segment for run in row if run.begin <= tile < run.end), None)
    if found is None:
        return "."
    if found.full:
        return "#"
    return "?" if found.picked else "+" if found.mask == plan.rule else "="
