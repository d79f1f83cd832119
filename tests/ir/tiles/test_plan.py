"""What plans say: their expressions, what they take for granted, and what they cannot read."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from archspec.dims import num as n
from archspec.dims.expr import names, write
from archspec.dims.parse import parse
from archspec.ir.tiles.concrete import Sizes, cost, picture, tiles
from archspec.ir.tiles.plan import Walk, plan
from tests.ir.tiles.listed import FAMILIES, Checker, made

WORDS = {"m", "n", "M", "N", "Q", "K", "start", "b", "h", *"wgpcda", "size"}


def lines(walk: Walk) -> list[str]:
    """Names and segments, as text."""
    segments = [
        f"[{write(x.begin)}, {write(x.end)}) {'full' if x.mask is None else write(x.mask)}"
        for x in walk.segments
    ]
    return [f"{word} = {write(expr)}" for word, expr in walk.lets] + segments


def test_a_window_along_keys():
    planned, _ = made("k <= q and q - k < w", {"w": 5})
    assert lines(planned.queries) == [
        "first = start + m * M",
        "last = start + min(m * M + M, Q) - 1",
        "begin = max(min(first - w + 1, K), 0) // N",
        "end = max(begin, (max(min(last + 1, K), 0) + N - 1) // N)",
        "inner = min((max(min(last - w + 1, K), 0) + N - 1) // N, end)",
        "outer = max(inner, max(min(first + 1, K), 0) // N)",
        "[begin, inner) k <= q and q - k < w",
        "[inner, outer) full",
        "[outer, end) k <= q and q - k < w",
    ]


def test_causal_along_queries():
    planned, _ = made("k <= q", {})
    assert lines(planned.keys) == [
        "first = n * N",
        "last = min(n * N + N, K) - 1",
        "begin = max(min(first - start, Q), 0) // M",
        "end = (Q + M - 1) // M",
        "inner = (max(min(last - start, Q), 0) + M - 1) // M",
        "outer = max(inner, Q // M)",
        "[begin, inner) k <= q",
        "[inner, outer) full",
        "[outer, end) k <= q",
    ]
    begin, *_ = planned.keys.segments
    assert write(planned.keys.closed(begin.begin)) == "max(min(n * N - start, Q), 0) // M"


def test_data_picks_tiles_beside_a_window():
    planned, values = made("(abs(q - k) <= w or g[b, k]) and t[b, k]", {"w": 4})
    tests = [write(x.test) for x in planned.queries.segments if x.test is not None]
    assert tests == ["t[b, k] and g[b, k]", "t[b, k]", "t[b, k]", "t[b, k]", "t[b, k] and g[b, k]"]
    masks = [write(x.mask) for x in planned.queries.segments if x.mask not in (None, planned.rule)]
    assert masks == ["t[b, k]"]
    assert planned.notes == ("data decides: g[b, k]", "data decides: t[b, k]")
    assert picture(planned, Sizes(4, 2, 12, 24, 6), values).splitlines() == [
        "?++==++?????",
        "???++==++???",
        "?????++==++?",
    ]


def test_data_picks_tiles_behind_those_that_are_certain():
    planned, values = made("k <= q and (k < g or t[b, k])", {"g": 6})
    assert [x.picked for x in planned.queries.segments] == [False, False, True]
    assert picture(planned, Sizes(8, 4, 16, 16), values).splitlines() == ["++..", "#+??"]


def test_a_picture():
    planned, values = made("k <= q and (k < g or q - k < w)", {"g": 4, "w": 7})
    assert picture(planned, Sizes(4, 4, 24, 24), values).splitlines() == [
        "+.....",
        "#+....",
        "#++...",
        "#+++..",
        "#.+++.",
        "#..+++",
    ]


@pytest.mark.parametrize("rule", FAMILIES.values())
def test_a_plan_has_few_segments_and_the_values_of_numbers_are_no_part_of_it(rule: str):
    planned, _ = made(rule, dict.fromkeys("wgpcda", 3))
    other, _ = made(rule, dict.fromkeys("wgpcda", 4096))
    assert planned == other
    for walk in (planned.queries, planned.keys):
        assert len(walk.segments) <= 6
        assert {word for x in walk.segments for word in names(walk.closed(x.end))} <= WORDS


def test_no_mask_is_full_but_for_a_ragged_end():
    planned = plan(None, {})
    assert lines(planned.queries) == [
        "end = (K + N - 1) // N",
        "outer = K // N",
        "[0, outer) full",
        "[outer, end) true",
    ]
    assert cost(planned, Sizes(4, 4, 8, 10), {}).pairs == 2 * 3 * 16


def test_a_mask_that_never_holds_visits_nothing():
    assert plan(parse("false"), {}).queries.segments == ()


def test_terms_whose_tensor_is_absent_are_true():
    rule = parse("k <= q and t[b, k]")
    assert plan(rule, {}, ()) == plan(parse("k <= q"), {})
    assert plan(rule, {}, ("t",)) == plan(rule, {})
    assert plan(parse("t[b, k]"), {}, ()).rule == plan(None, {}).rule


def test_numbers_may_be_called_as_the_plan_calls_its_own():
    numbers = {"K": n.num(3), "first": n.num(2)}
    planned = plan(parse("q - k < K and k < first"), numbers)
    assert write(planned.rule) == "q - k < K_ and k < first_"
    values = {"K": 3, "first": 2}
    expected = cost(made("q - k < w and k < p", {"w": 3, "p": 2})[0], Sizes(2, 2, 9, 9), {"w": 3, "p": 2})
    assert cost(planned, Sizes(2, 2, 9, 9), values) == expected


def test_a_divisor_has_to_stay_above_0():
    planned, values = made("q // c == k // c", {"c": 4})
    assert [write(x) for x in planned.positive] == ["c"]
    with pytest.raises(ValueError, match="c: not above 0"):
        list(tiles(planned, planned.queries, Sizes(2, 2, 4, 4), {**values, "c": 0}))


@pytest.mark.parametrize(
    "rule",
    [
        "(q - k) % c == 0",
        "q * q <= k",
        "q // c == k // c",
        "k + k <= q",
        "min(q, k) < c",
        "q - k < 2.5",
        "k * q < c",
    ],
)
def test_what_cannot_be_read_is_tested_everywhere_and_noted(rule: str):
    planned = plan(parse(rule), {"c": n.num(-3)})
    assert planned.notes == (f"not read, tested in each tile: {rule}",)
    assert cost(planned, Sizes(2, 2, 8, 8), {"c": -3}).tiles == 16


def test_many_alternatives_are_taken_together():
    text = " or ".join(f"abs(q - k - {20 * i} * c) <= w" for i in range(6))
    planned, values = made(text, {"w": 2, "c": 1})
    assert len(planned.queries.segments) == 1
    visited, needed = Checker(planned, Sizes(4, 4, 60, 60), values).walk(planned.queries)
    assert needed < visited
    endless = " and ".join(f"(q - k < {i} * c or k - q > {i} + w)" for i in range(9))
    planned, values = made(endless, {"w": 2, "c": 1})
    Checker(planned, Sizes(4, 4, 20, 20), values).walk(planned.queries)


def test_mistakes_would_be_seen():
    """A plan with a bound moved by one tile, or with a tile called full too early, does not pass."""
    planned, values = made("k <= q and q - k < w", {"w": 9})
    sizes = Sizes(4, 2, 24, 24)
    first, middle, last = planned.queries.segments
    for wrong in (
        (first, middle),
        (first, middle, last, last),
        (last, middle, first),
        (first, replace(middle, begin=first.begin), last),
        (replace(first, mask=None), middle, last),
        (first, middle, replace(last, mask=parse("k < q"))),
    ):
        walk = Walk(planned.queries.own, planned.queries.along, planned.queries.lets, wrong)
        with pytest.raises(AssertionError):
            Checker(planned, sizes, values).walk(walk)


@pytest.mark.parametrize("certain", ["k < g", "k >= q + g", "q < g", "k + g <= q or k >= q + g"])
def test_what_is_not_read_stays_within_its_bounds_beside_what_is(certain: str):
    planned, values = made(f"{certain} or abs(q - k) <= w and (q - k) % d == 0", {"g": 21, "w": 5, "d": 1})
    for walk in (planned.queries, planned.keys):
        visited, needed = Checker(planned, Sizes(4, 4, 48, 48), values).walk(walk)
        assert visited == needed
        assert any(x.full for x in walk.segments)


def test_a_residue_is_not_picked_by_data():
    planned, _ = made("(abs(q - k) <= w or (q - k) % c == 0) and t[b, k]", {"w": 4, "c": 8})
    assert not any(x.picked for x in planned.queries.segments)
    assert {write(x.test) for x in planned.queries.segments if x.test is not None} == {"t[b, k]"}
