"""Percentiles by nearest rank."""

import pytest

from archspec.analysis.latency import Latency
from archspec.errors import ArchspecError


def test_percentiles_are_times_of_runs():
    found = Latency.of([3.0, 1.0, 2.0, 4.0])
    assert (found.p50, found.at(0.75), found.at(0.76), found.at(0.99)) == (2.0, 3.0, 4.0, 4.0)
    assert found.at(0.0) == 1.0


def test_the_99th_percentile_of_few_runs_is_the_slowest_and_that_is_said():
    assert Latency.of([1.0] * 99).note() == "of 99 runs: the slowest"
    hundred = Latency.of([float(n) for n in range(1, 101)])
    assert (hundred.at(0.99), hundred.note()) == (99.0, "")


@pytest.mark.parametrize("wrong", [[], [0.0], [1.0, -1.0], [float("nan")], [float("inf")]])
def test_what_is_no_time(wrong: list[float]):
    with pytest.raises(ArchspecError) as error:
        Latency.of(wrong)
    assert [found.code for found in error.value.diagnostics] == ["D004"]
