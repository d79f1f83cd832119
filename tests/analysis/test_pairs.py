"""The pairs that masks let through, against a list of all pairs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.analysis.cuts import count_between
from archspec.analysis.lookups import settled
from archspec.analysis.meaning import meaning
from archspec.analysis.pairs import count, pairs, simple
from archspec.analysis.terms import UnreadableError
from archspec.analysis.windows import windowed
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.expr import write
from archspec.dims.parse import parse
from archspec.ir.ops.attention import Attention

NUMBERS = {"w": 5, "c": 4}
LENGTHS = st.integers(0, 23)

ATOMS = st.sampled_from(
    [
        "k <= q", "q - k < w", "abs(q - k) <= w", "abs(q - k) > 2", "k < c", "q < 2 * w", "k != q", "q == 7",
        "(q - k) % c == 0", "k % 3 == 1", "q % 3 != 2", "k // c == q // c", "k // c <= q // c - 1",
        "q // c - k // c < 2", "2 * k <= q", "k <= 2 * q - w", "(q + 1) // 2 >= k", "3 * k < 2 * q",
        "-q // c < 0",
    ]
)  # fmt: skip


def joined(pair: tuple[str, str, str]) -> str:
    return f"({pair[1]}) {pair[0]} ({pair[2]})"


RULES = st.recursive(
    ATOMS,
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(joined) | inner.map("not ({})".format)
    ),
    max_leaves=5,
)


def listed(rule: str, queries: int, keys: int, start: int) -> int:
    holds = meaning(parse(rule), NUMBERS)
    return sum(bool(holds(q, k)) for q in range(start, start + queries) for k in range(keys))


@settings(max_examples=400, deadline=None)
@given(rule=RULES, queries=LENGTHS, keys=LENGTHS, start=st.integers(0, 9))
def test_counts_are_those_of_the_list(rule: str, queries: int, keys: int, start: int):
    expected = listed(rule, queries, keys, start)
    try:
        found = count_between(parse(rule), range(start, start + queries), keys, NUMBERS)
    except UnreadableError:
        found = count(parse(rule), queries, keys, start, NUMBERS)
    assert found == expected


@settings(max_examples=60, deadline=None)
@given(rule=ATOMS, queries=st.integers(0, 90), keys=st.integers(0, 90))
def test_single_comparisons_are_read(rule: str, queries: int, keys: int):
    read = count_between(parse(rule), range(queries), keys, NUMBERS)
    assert read == listed(rule, queries, keys, 0)


def test_long_windows_take_no_list():
    length, window = 1 << 20, 512
    rule = parse("k <= q and q - k < 512")
    assert count(rule, length, length, 0, {}) == length * window - window * (window - 1) // 2
    chunk = 8192
    chunked = parse("k <= q and k // 8192 == q // 8192")
    assert count(chunked, length, length, 0, {}) == length // chunk * (chunk * (chunk + 1) // 2)


def test_long_strides_take_no_list():
    """What is near, and every 1,000th before it: as many pairs at each distance as there are queries."""
    length, stride = 1 << 20, 1000
    rule = parse("k <= q and (q - k < c or (q - k) % c == 0)")
    distances = [*range(stride), *range(stride, length, stride)]
    assert count(rule, length, length, 0, {"c": stride}) == sum(length - d for d in distances)


DISTANCES = (
    "k <= q and (q - k < c or (q - k) % c == 0)", "(k - q) % c < 2", "abs(q - k) <= c", "(k - q) // c == 0",
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    rule=st.sampled_from(DISTANCES),
    c=st.integers(1, 9), queries=st.integers(0, 40), keys=st.integers(0, 40), start=st.integers(0, 9),
)  # fmt: skip
def test_rules_of_distances(rule: str, c: int, queries: int, keys: int, start: int):
    holds = meaning(parse(rule), {"c": c})
    one_by_one = sum(bool(holds(q, k)) for q in range(start, start + queries) for k in range(keys))
    assert count(parse(rule), queries, keys, start, {"c": c}) == one_by_one


def test_what_cannot_be_read_is_not_known():
    rule = parse("min(q, k) < 7")
    assert count(rule, 9, 9, 0, {}) == 9 * 9 - 2 * 2
    assert count(rule, 1 << 12, 1 << 12, 0, {}) is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("k <= q and padding[b, k]", "k <= q"),
        ("(abs(q - k) <= w or is_global[b, k]) and is_token[b, k]", "abs(q - k) <= w"),
        ("is_global[b, q] and is_token[b, k]", "false"),
        ("valid[b, q] and valid[b, k]", "true"),
        ("document[b, q] == document[b, k] and k <= q", "k <= q"),
        ("k <= q and not padded[b, k]", "k <= q"),
        ("first[b, k] or second[b, k]", "true"),
    ],
)
def test_tensors_looked_up(rule: str, expected: str):
    out, notes = settled(parse(rule))
    assert write(simple(out)) == expected
    assert notes


def attention(rule: str | None, **names: int) -> Attention:
    numbers = tuple((name, n.num(value)) for name, value in names.items())
    mask = None if rule is None else parse(rule)
    return Attention(n.num(1), mask, n.num(0), (), numbers, None, n.num(0))


OF_DISTANCE = st.recursive(
    st.sampled_from(["k <= q", "q - k < w", "abs(q - k) <= w // 2", "abs(q - k) > 2", "k != q", "k < q + 3"])
    | st.just("2 * q - 2 * k <= 3 * w"),
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(joined) | inner.map("not ({})".format)
    ),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(rule=OF_DISTANCE, more=LENGTHS, later=LENGTHS, fixed=st.integers(0, 9))
def test_windows_in_symbols_are_those_of_the_list(rule: str, more: int, later: int, fixed: int):
    """Both lengths symbols, or only one of them; from exactly the length on that is said."""
    found = windowed(parse(rule), 1, poly.symbol("past"), NUMBERS)
    assert found is not None
    q, s = found.least + more, found.least + later
    for queries, start, at in (
        (poly.symbol("S"), 0, (q, 0)), (poly.symbol("S"), fixed, (q, fixed)),
        (fixed, poly.symbol("past"), (fixed, s)), (poly.symbol("S"), poly.symbol("past"), (q, s)),
    ):  # fmt: skip
        found = windowed(parse(rule), queries, start, NUMBERS)
        assert found is not None
        values: dict[str, Any] = {"S": at[0], "past": at[1]}
        assert poly.evaluate(found.twice, values) == 2 * listed(rule, at[0], sum(at), at[1])


@pytest.mark.parametrize("rule", ["k // c == q // c", "(q - k) % c == 0", "k < c", "q == 7"])
def test_other_rules_have_no_closed_form(rule: str):
    queries = poly.symbol("S")
    assert windowed(parse(rule), queries, 0, NUMBERS) is None
    assert pairs(attention(rule, **NUMBERS), queries, queries, 0).twice is None


def test_a_window_says_from_which_length_on():
    queries = poly.symbol("S")
    found = pairs(attention("k <= q and q - k < w", w=512), queries, queries, 0)
    assert found.notes == ("windows in symbols: exact for S of 512 or more",)
    assert found.twice is not None
    assert poly.evaluate(found.twice, {"S": 512}) == 512 * 513


def test_causal_pairs_in_symbols():
    queries, past = poly.symbol("S"), poly.symbol("past")
    keys = poly.add(queries, past)
    found = pairs(attention("k <= q"), queries, keys, past).twice
    assert found is not None
    for s, p in ((1, 0), (7, 3), (1, 9)):
        sizes: dict[str, Any] = {"S": s, "past": p}
        assert poly.evaluate(found, sizes) == 2 * (s * p + s * (s + 1) // 2)
    assert pairs(attention(None), 3, queries, 0).twice == poly.mul(6, queries)
