"""Tiles in numbers against the exact count of pairs, also for lengths that nobody lists."""

from __future__ import annotations

import pytest

from archspec.analysis.pairs import count
from archspec.dims.parse import parse
from archspec.ir.tiles.concrete import Sizes, cost, tiles
from archspec.ir.tiles.plan import TilePlan
from tests.ir.tiles.listed import FAMILIES, INTERVALS, made, places, truth

NUMBERS = {"w": 21, "g": 6, "p": 17, "c": 16, "d": 3, "a": 2}
READ = [name for name, rule in FAMILIES.items() if "[" not in rule and "h" not in rule]


def in_tiles(planned: TilePlan, sizes: Sizes, values: dict[str, int]) -> int:
    """The pairs that count: all of a full tile, those of the rule in others."""
    holds, total = truth(planned.rule, values, 0), 0
    for own, row in enumerate(tiles(planned, planned.queries, sizes, values)):
        for run in row:
            for tile in range(run.begin, run.end):
                queries, keys = places(planned.queries, own, tile, sizes)
                full = run.segment.full
                total += len(queries) * len(keys) if full else sum(holds(q, k) for q in queries for k in keys)
    return total


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("sizes", [Sizes(16, 8, 60, 60), Sizes(7, 13, 40, 64, 24), Sizes(5, 3, 20, 11, -9)])
def test_the_pairs_in_tiles_are_those_that_are_counted(name: str, sizes: Sizes):
    planned, values = made(FAMILIES[name], NUMBERS)
    expected = count(parse(FAMILIES[name]), sizes.Q, sizes.K, sizes.start, NUMBERS)
    assert in_tiles(planned, sizes, values) == expected


@pytest.mark.parametrize("name", [name for name in INTERVALS if name in READ])
def test_a_long_sequence_costs_what_it_has_to(name: str):
    """Tiles at the edges hold pairs that do not count."""
    length = 1 << 17
    numbers = {"w": 4096, "g": 64, "p": 1 << 16, "c": 1 << 13, "d": 2, "a": 100}
    sizes = Sizes(128, 64, length, length)
    planned, values = made(FAMILIES[name], numbers)
    found, exact = cost(planned, sizes, values), count(parse(FAMILIES[name]), length, length, 0, numbers)
    assert exact is not None
    assert found.full * 128 * 64 <= exact <= found.pairs
    assert found.pairs / exact < 1.04
    assert found.open == 0


def test_tiles_that_data_may_leave_out_are_counted_apart():
    planned, values = made("abs(q - k) <= w or t[b, k]", {"w": 15})
    found = cost(planned, Sizes(16, 16, 256, 256), values)
    near = cost(made("abs(q - k) <= w", {"w": 15})[0], Sizes(16, 16, 256, 256), values)
    assert (found.tiles, found.full) == (16 * 16, near.full)
    assert found.open == 16 * 16 - near.tiles


def test_window_sizes_per_head():
    planned, _ = made("k <= q and q - k < size[h]", {})
    sizes = Sizes(8, 8, 64, 64)
    costs = [cost(planned, sizes, {"size[h]": width}).tiles for width in (1, 8, 64)]
    assert costs == [8, 15, 36]
