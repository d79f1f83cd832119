"""A mask's reach is never too narrow, and as narrow as its window where the rule is one."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.dims import num as n
from archspec.dims.expr import Binary, Expr, Index, Literal, Name, Unary, write
from archspec.dims.parse import parse
from archspec.ir.reach import Reach, reach_of
from tests.ir.tiles.listed import truth
from tests.ir.tiles.test_tiles import NUMBERS as VALUES
from tests.ir.tiles.test_tiles import RULES as FAMILIES

LENGTH = 12
NUMBERS = {"w": n.num(3), "m": n.num(2)}


def ends(rule: str) -> tuple[int | None, int | None, list[str]]:
    reach = reach_of(parse(rule), NUMBERS)
    before, after = (bound and bound.value for bound in (reach.before, reach.after))
    return before, after, [write(part) for part in reach.picked]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("k <= q", (None, 0, [])),
        ("k < q", (None, -1, [])),
        ("k <= q and q - k < w", (2, 0, [])),
        ("abs(q - k) <= w", (3, 3, [])),
        ("abs(k - q + 1) < w", (3, 1, [])),
        ("q == k", (0, 0, [])),
        ("q >= k and k > q - w", (2, 0, [])),
        ("(abs(q - k) <= w or g[b, k]) and t[b, k]", (3, 3, ["g[b, k]"])),
        ("abs(q - k) <= w or q - k < m and k <= q", (3, 3, [])),
        ("abs(q - k) <= w or k < m", (None, None, [])),
        ("abs(q - k) <= w or g[b, q]", (None, None, [])),
        ("not k <= q", (-1, None, [])),
        ("not abs(q - k) >= w", (2, 2, [])),
        ("not (q - k >= w or k > q or not t[b, k])", (2, 0, [])),
        ("k <= q and (q - k < w or g[b, k])", (2, 0, ["g[b, k]"])),
        ("abs(q - k) <= w or g[b, k] and t[b, k]", (None, None, [])),
        ("2 * q - 2 * k <= w", (None, None, [])),
        ("k >= q // 4 * 4 - 4 and k <= q", (7, 0, [])),
        ("q // w == k // w", (2, 2, [])),
        ("k <= q and q // w == k // w", (2, 0, [])),
        ("k <= q and q // w - k // w <= 1", (5, 0, [])),
        ("(q + 1) // w == k // w", (1, 3, [])),
        ("q // w == k // m", (None, None, [])),
        ("q // w <= k", (None, None, [])),
        ("abs(q - k) <= w // 2", (1, 1, [])),
        ("q - k < w * m", (5, None, [])),
        ("q + k <= w", (None, None, [])),
        ("q - k < unknown", (None, None, [])),
    ],
)
def test_the_reach_of_a_rule(rule: str, expected: Any):
    assert ends(rule) == expected


def test_a_bound_is_written_by_the_rules_own_names():
    reach = reach_of(parse("q - k < w + m"), NUMBERS)
    assert reach.before is not None
    assert write(reach.before.expr) == "w + m - 1"


PLACES = st.sampled_from(
    ["q", "k", "q - k", "k - q", "q - k + 1", "q - 2", "q // w", "q // w - k // w", "(q + 1) // m"]
)
SIZES = st.sampled_from(["0", "1", "w", "m", "w - 1", "k", "q + m", "k // w", "k // m", "w // 2"])
OPERATORS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
COMPARED = st.builds("{} {} {}".format, PLACES, OPERATORS, SIZES)
NEAR = st.builds("abs({}) {} {}".format, PLACES, st.sampled_from(["<", "<="]), SIZES)
RULES = st.recursive(
    st.one_of(COMPARED, NEAR, st.just("g[b, k]"), st.just("t[b, k]")),
    lambda inner: st.one_of(
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(rule=FAMILIES, numbers=VALUES, seed=st.integers(0, 99))
def test_no_family_of_masks_looks_beyond_its_reach(rule: str, numbers: dict[str, int], seed: int):
    reach = reach_of(parse(rule), {name: n.num(value) for name, value in numbers.items()})
    sees = truth(parse(rule), numbers, seed)
    picked = [truth(part, numbers, seed) for part in reach.picked]
    for q, k in product(range(LENGTH), repeat=2):
        if sees(q, k):
            assert within(reach, q, k, any(picks(q, k) for picks in picked))


@given(RULES)
def test_nothing_that_may_be_seen_is_out_of_reach(text: str):
    rule = parse(text)
    reach = reach_of(rule, NUMBERS)
    for chosen in (False, True):
        for q in range(LENGTH):
            for k in range(LENGTH):
                if holds(rule, q, k, chosen):
                    assert within(reach, q, k, chosen)


def within(reach: Reach, q: int, k: int, chosen: bool) -> bool:
    """Whether key k is near q, or picked where all keys are chosen."""
    near = (reach.before is None or q - k <= reach.before.value) and (
        reach.after is None or k - q <= reach.after.value
    )
    return near or (chosen and bool(reach.picked))


def holds(rule: Expr, q: int, k: int, chosen: bool) -> Any:
    """The rule's value, by Python; every tensor holds `chosen` everywhere."""
    match rule:
        case Binary(op="and", left=a, right=b):
            return holds(a, q, k, chosen) and holds(b, q, k, chosen)
        case Binary(op="or", left=a, right=b):
            return holds(a, q, k, chosen) or holds(b, q, k, chosen)
        case Unary(op="not", operand=x):
            return not holds(x, q, k, chosen)
        case Index():
            return chosen
        case Literal(value=value):
            return value
        case Name(id=word):
            return {"q": q, "k": k}.get(word, NUMBERS[word].value if word in NUMBERS else None)
        case _:
            names = {"q": q, "k": k, "w": 3, "m": 2}
            return eval(write(rule), {"abs": abs}, names)
