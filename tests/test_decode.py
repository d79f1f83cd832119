"""How the next token is chosen."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archspec.decode import Sampling, choose

SCORES = torch.tensor([0.0, 2.0, 1.0, -1.0])


def drawn(sampling: Sampling, scores: torch.Tensor = SCORES, times: int = 2000) -> Counter[int]:
    generator = torch.Generator().manual_seed(0)
    return Counter(choose(scores, sampling, generator) for _ in range(times))


def test_without_temperature_the_likeliest_is_taken():
    assert choose(SCORES, Sampling()) == 1
    assert choose(SCORES, Sampling(top_k=3, top_p=0.5, seed=1)) == 1


def test_draws_follow_the_probabilities():
    counts, shares = drawn(Sampling(temperature=1.0)), SCORES.softmax(-1)
    assert all(abs(counts[token] / 2000 - float(shares[token])) < 0.04 for token in range(4))


def test_temperature_flattens():
    assert (
        drawn(Sampling(temperature=0.5))[1]
        > drawn(Sampling(temperature=1.0))[1]
        > drawn(Sampling(temperature=4.0))[1]
    )


@pytest.mark.parametrize(("k", "left"), [(1, {1}), (2, {1, 2}), (3, {0, 1, 2}), (9, {0, 1, 2, 3})])
def test_top_k_leaves_the_k_likeliest(k: int, left: set[int]):
    assert set(drawn(Sampling(temperature=2.0, top_k=k))) == left


@pytest.mark.parametrize(
    ("p", "left"), [(0.01, {1}), (0.64, {1}), (0.65, {1, 2}), (0.95, {0, 1, 2}), (1.0, {0, 1, 2, 3})]
)
def test_top_p_leaves_the_fewest_that_add_up(p: float, left: set[int]):
    assert set(drawn(Sampling(temperature=1.0, top_p=p))) == left  # shares: 0.087, 0.644, 0.237, 0.032


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=40), st.floats(0.01, 1.0), st.integers(1, 50))
def test_something_is_always_left_to_draw(scores: list[float], p: float, k: int):
    token = choose(torch.tensor(scores), Sampling(temperature=0.1, top_k=k, top_p=p))
    assert 0 <= token < len(scores)
