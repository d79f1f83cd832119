"""No tile is missed, visited twice or wrongly called full, whatever the mask, the sizes and the numbers."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.ir.tiles.concrete import Sizes
from tests.ir.tiles.listed import FAMILIES, INTERVALS, Checker, made

SIZES = st.builds(
    Sizes, st.integers(1, 7), st.integers(1, 7), st.integers(1, 24), st.integers(1, 24), st.integers(-5, 9)
)
# The last query stands at the last key.
ALIGNED = SIZES.map(lambda x: Sizes(x.M, x.N, x.Q, x.K, x.K - x.Q))
ANY, POSITIVE = st.integers(-4, 9), st.integers(1, 9)
NUMBERS = st.fixed_dictionaries({**dict.fromkeys("wgpa", ANY), **dict.fromkeys("cd", ANY.filter(bool))})
USUAL = st.fixed_dictionaries(dict.fromkeys("wgpacd", POSITIVE))
RULES = st.recursive(
    st.sampled_from([*FAMILIES.values()]),
    lambda inner: (
        st.builds("({}) and ({})".format, inner, inner)
        | st.builds("({}) or ({})".format, inner, inner)
        | st.builds("not ({})".format, inner)
    ),
    max_leaves=3,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=RULES, sizes=SIZES, numbers=NUMBERS, seed=st.integers(0, 99))
def test_tiles_are_those_of_the_rule(rule: str, sizes: Sizes, numbers: dict[str, int], seed: int):
    planned, values = made(rule, numbers, seed % 2)
    for walk in (planned.queries, planned.keys):
        Checker(planned, sizes, values, seed).walk(walk)


@pytest.mark.parametrize("name", INTERVALS)
@settings(max_examples=25, deadline=None)
@given(sizes=ALIGNED, numbers=USUAL)
def test_masks_that_are_intervals_visit_no_tile_in_vain(name: str, sizes: Sizes, numbers: dict[str, int]):
    planned, values = made(FAMILIES[name], numbers)
    for walk in (planned.queries, planned.keys):
        visited, needed = Checker(planned, sizes, values).walk(walk)
        assert visited == needed
