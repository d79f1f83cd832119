"""Queues against known results."""

from __future__ import annotations

import random
from math import sqrt

import pytest

from archspec.analysis.queueing import fixed_batch, room_for, running_batch, waiting


def test_one_server_waits_as_pollaczek_and_khinchine_say():
    """M/D/1: rho / (2 (1 - rho)) services. Sakasegawa's form is exact for one server."""
    assert waiting(0.5, 1.0, 1) == pytest.approx(0.5)
    assert waiting(0.8, 1.0, 1) == pytest.approx(2.0)


def test_several_servers_agree_with_a_simulation():
    simulated = simulate(2.4, 1.0, 3, 200_000)
    assert waiting(2.4, 1.0, 3) == pytest.approx(simulated, rel=0.06)


def simulate(rate: float, service: float, servers: int, count: int) -> float:
    """The mean wait of first come, first served."""
    rng, now, free, waited = random.Random(1), 0.0, [0.0] * servers, 0.0
    for _ in range(count):
        now += rng.expovariate(rate)
        first = min(range(servers), key=free.__getitem__)
        start = max(now, free[first])
        waited, free[first] = waited + start - now, start + service
    return waited / count


def test_what_is_never_done_has_no_wait():
    assert waiting(1.0, 1.0, 1) is None
    assert fixed_batch(0.95, 1, 1.0, 1) is None  # a tenth of the time stays free


def test_a_batch_waits_until_it_is_full():
    found = fixed_batch(1.0, 4, 2.0, 1)
    assert found is not None
    assert found.busy == 0.5
    assert found.latency == pytest.approx(1.5 + 1.0 + 2.0)


def test_as_many_run_together_as_tokens_ask_for():
    """Steps of 10 ms whatever the batch: 100 tokens a second of each, so 5,000 ask for some 50."""
    found = running_batch(50.0, 0.0, lambda n: 0.01, 101)
    assert found is not None
    assert found.together == 56  # 50 at nine tenths of the time
    assert found.latency == pytest.approx(0.005 + 100 * 0.01)


def test_prefills_stretch_the_steps():
    free, full = running_batch(1.0, 0.0, lambda n: 0.01, 11), running_batch(1.0, 0.5, lambda n: 0.01, 11)
    assert free is not None
    assert full is not None
    assert full.latency == pytest.approx(0.25 + 0.5 + 0.01 + 10 * 0.02)
    assert full.busy == pytest.approx(free.busy + 0.5)


def test_a_load_that_no_batch_carries_is_none():
    assert running_batch(1.0, 0.9, lambda n: 0.01, 2) is None
    assert running_batch(200.0, 0.0, lambda n: 0.01 * n, 2) is None


def test_room_is_two_deviations_above_the_mean():
    assert room_for(100) == 100 + 2 * sqrt(100)
