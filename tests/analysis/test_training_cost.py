"""Training runs: published hours lie in the range, published days and FLOPs are met."""

from typing import Any

import pytest

from archspec.analysis.device import Device
from archspec.analysis.devices import device
from archspec.analysis.ranges import Band, Range
from archspec.analysis.roofline import PUBLISHED_MFU
from archspec.analysis.training_cost import (
    FITS,
    Overhead,
    TrainingRun,
    compute_optimal,
    eight_nd,
    loss,
    seconds,
    six_nd,
    training_cost,
)
from archspec.errors import ArchspecError

DAY = 86400
A100, H100 = device("a100-80gb"), device("h100-sxm")

# Model, parameters, tokens, device hours as published. Sources: arXiv:2302.13971 table 15, arXiv:2307.09288
# table 2, the model cards of Llama 3 and 3.1, arXiv:2211.05100 section 4, arXiv:2412.19437 table 1 (37B
# active parameters).
RUNS = [
    ("Llama-1 7B", 6738415616, 1.0e12, 82432, A100),
    ("Llama-1 13B", 13015864320, 1.0e12, 135168, A100),
    ("Llama-1 33B", 32528943616, 1.4e12, 530432, A100),
    ("Llama-1 65B", 65285660672, 1.4e12, 1022362, A100),
    ("Llama-2 7B", 6738415616, 2.0e12, 184320, A100),
    ("Llama-2 13B", 13015864320, 2.0e12, 368640, A100),
    ("Llama-2 70B", 68976648192, 2.0e12, 1720320, A100),
    ("Llama-3 70B", 70553706496, 15e12, 6.4e6, H100),
    ("Llama-3.1 70B", 70553706496, 15e12, 7.0e6, H100),
    ("Llama-3.1 405B", 405853388800, 15.6e12, 30.84e6, H100),
    ("BLOOM 176B", 176247271424, 366e9, 1082990, A100),
    ("DeepSeek-V3", 37e9, 14.8e12, 2.664e6, H100),
]
# Hours of these hold more than the pre-training: 14 and 16 % of the peak.
OUTSIDE = [
    ("Llama-3 8B", 8030261248, 15e12, 1.3e6, H100),
    ("Llama-3.1 8B", 8030261248, 15e12, 1.46e6, H100),
]


def hours(parameters: float, tokens: float, on: Device) -> Range:
    return training_cost(TrainingRun(six_nd(parameters, tokens), parameters, tokens), on).device_hours


each = pytest.mark.parametrize(("name", "n", "d", "published", "on"), RUNS)
other = pytest.mark.parametrize(("name", "n", "d", "published", "on"), OUTSIDE)


@each
def test_published_hours_lie_in_the_range(name: str, n: float, d: float, published: float, on: Device):
    found = hours(n, d, on)
    assert found.best <= published <= found.worst, name


@other
def test_two_runs_took_longer(name: str, n: float, d: float, published: float, on: Device):
    assert published > 1.5 * hours(n, d, on).worst, name


def test_the_band_is_no_wider_than_the_runs():
    ideal = [hours(n, d, on).best * PUBLISHED_MFU.high / published for _, n, d, published, on in RUNS]
    assert min(ideal) == pytest.approx(PUBLISHED_MFU.low, abs=0.005)
    assert max(ideal) == pytest.approx(PUBLISHED_MFU.high, abs=0.005)


# arXiv:2104.04473, section 5.1, equation (4): days with full checkpointing at the achieved TFLOP/s.
NARAYANAN = [(175e9, 300e9, 1024, 140e12, 34), (1e12, 450e9, 3072, 163e12, 84)]


@pytest.mark.parametrize(("parameters", "tokens", "devices", "achieved", "days"), NARAYANAN)
def test_published_days(parameters: float, tokens: float, devices: int, achieved: float, days: float):
    assert seconds(eight_nd(parameters, tokens), devices, achieved) / DAY == pytest.approx(days, rel=0.01)


SIX_ND = [
    (174.6e9, 300e9, 3.14e23),  # arXiv:2005.14165, table D.1
    (405e9, 15.6e12, 3.8e25),  # arXiv:2407.21783, section 3.2
    (540.35e9, 780e9, 2.53e24),  # arXiv:2204.02311
]


@pytest.mark.parametrize(("parameters", "tokens", "published"), SIX_ND)
def test_published_flops(parameters: float, tokens: float, published: float):
    assert six_nd(parameters, tokens) == pytest.approx(published, rel=0.005)


def test_a_run_in_full():
    run = TrainingRun(flops=7e21, parameters=1e9, tokens=1e12, devices=8)
    found = training_cost(run, A100, Band(0.25, 0.5, "two"), Overhead(1.0, 1.5, "three"))
    ideal = 7e21 / 312e12 / 3600
    assert (found.flops, found.six_nd, found.tokens_per_parameter) == (7e21, 6e21, 1000)
    assert (found.device_hours.best, found.device_hours.worst) == pytest.approx((2 * ideal, 4 * ideal))
    assert found.wall_clock_hours.worst == pytest.approx(found.device_hours.worst / 8)
    assert found.dollars
    assert found.dollars.best == pytest.approx(2 * ideal * 1.29)
    assert found.dollars.worst == pytest.approx(4 * ideal * 3.4309)
    assert found.kilowatt_hours
    assert found.kilowatt_hours.worst == pytest.approx(4 * ideal * 0.4 * 1.5)


def test_what_the_device_does_not_state_is_not_zero():
    found = training_cost(TrainingRun(1e18, 1e6, 1e9, dtype="fp32"), device("epyc-9654"))
    assert found.dollars is None
    assert found.kilowatt_hours is not None


def test_twenty_tokens_a_parameter():
    """Hoffmann et al. 2022: with the FLOPs of a model of 280B, 70B parameters on 1.4T tokens."""
    found = compute_optimal(5.76e23)
    assert found.parameters == pytest.approx(70e9, rel=0.02)
    assert found.tokens == pytest.approx(1.4e12, rel=0.02)


@pytest.mark.parametrize("name", FITS)
def test_a_fit_is_lowest_at_its_optimum(name: str):
    fit, budget = FITS[name], 1e21
    found = compute_optimal(budget, fit)
    assert six_nd(found.parameters, found.tokens) == pytest.approx(budget)
    best = loss(found.parameters, found.tokens, fit)
    for factor in (0.9, 1.1):
        assert loss(found.parameters * factor, found.tokens / factor, fit) > best


def test_the_two_fits_differ_as_published():
    """arXiv:2404.10102: the replication agrees with 20 tokens a parameter, approach 3 asks for more."""
    at = {name: compute_optimal(5.76e23, fit) for name, fit in FITS.items()}
    assert 15 < at["besiroglu"].tokens / at["besiroglu"].parameters < 30
    assert at["hoffmann"].tokens / at["hoffmann"].parameters > 60


REFUSED = [
    (lambda: six_nd(0, 1), "parameters is 0"),
    (lambda: seconds(1, 0, 1), "devices is 0"),
    (lambda: training_cost(TrainingRun(1e18, 1e6, 1e9, devices=-1), A100), "devices is -1"),
    (lambda: training_cost(TrainingRun(1e18, 1e6, 1e9), A100, Band(0, 0.5, "")), "MFU is a band"),
    (lambda: training_cost(TrainingRun(1e18, 1e6, 1e9), A100, overhead=Overhead(0.9, 1, "")), "PUE is 0.9"),
    (
        lambda: training_cost(TrainingRun(1e18, 1e6, 1e9), A100, overhead=Overhead(1.5, 1.1, "")),
        "high end of PUE",
    ),
    (lambda: compute_optimal(float("inf")), "FLOPs is inf"),
]


@pytest.mark.parametrize(("ask", "words"), REFUSED)
def test_sizes_that_are_none(ask: Any, words: str):
    with pytest.raises(ArchspecError, match=f"D004 .*{words}"):
        ask()


def test_a_dtype_without_a_peak():
    with pytest.raises(ArchspecError, match="D003"):
        training_cost(TrainingRun(1e18, 1e6, 1e9), device("t4"))
