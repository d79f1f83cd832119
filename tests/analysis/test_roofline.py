"""Times on a device: the roofline's own cases, and decoding as gpt-fast measured it."""

import pytest

from archspec.analysis.devices import device
from archspec.analysis.ranges import Band
from archspec.analysis.roofline import (
    DECODE_MBU,
    PUBLISHED_MBU,
    Efficiency,
    Load,
    ridge,
    time_range,
    timing,
    total,
)
from archspec.errors import ArchspecError

A100 = device("a100-80gb")
# Weight bytes that a token reads: all but the embedding table, of which it reads one row.
SMALL, LARGE = (6_738_415_616 - 32000 * 4096), (68_976_648_192 - 32000 * 8192)
NEW_SMALL, NEW_LARGE = (8_030_261_248 - 128256 * 4096), (70_553_706_496 - 128256 * 8192)
# pytorch-labs/gpt-fast, README at 32971d3: tokens a second, batch 1, one A100 80 GB.
GPT_FAST_BF16 = [(SMALL, 104.9), (NEW_SMALL, 93.89)]
GPT_FAST_INT8 = [(SMALL, 155.58), (LARGE, 19.13), (NEW_SMALL, 137.64), (NEW_LARGE, 18.04)]


def test_a_matrix_product_is_bound_by_compute():
    n = 8192
    found = timing(Load(2 * n**3, 3 * 2 * n**2, "bf16"), A100)
    assert found.bound == "compute"
    assert found.seconds == found.compute_seconds == 2 * n**3 / 312e12
    assert found.memory_seconds == 6 * n**2 / 2039e9


def test_the_ridge_is_where_both_take_as_long():
    at = ridge(A100, "bf16")
    found = timing(Load(at * 1e9, 1e9, "bf16"), A100)
    assert found.compute_seconds == pytest.approx(found.memory_seconds)
    assert Load(at * 1e9, 1e9, "bf16").intensity == pytest.approx(at)
    assert Load(1, 0, "bf16").intensity is None


def test_a_total_lies_above_its_floor():
    """One operation bound by compute and one bound by memory: together they could overlap."""
    loads = [Load(312e12, 0, "bf16"), Load(0, 2 * 2039e9, "bf16")]
    found = total(loads, A100)
    assert (found.seconds, found.floor_seconds, found.bound) == (3, 2, "memory")
    assert total([], A100).seconds == 0


def test_what_computes_nothing_needs_no_peak():
    assert timing(Load(0, 900e9, "bool"), device("v100")).seconds == 1
    with pytest.raises(ArchspecError, match="D003"):
        timing(Load(1, 1, "bf16"), device("v100"))


def test_a_range_names_its_ends():
    reached = Efficiency(Band(0.25, 0.5, "a"), Band(0.4, 0.8, "b"))
    compute, memory = Load(312e12, 1, "bf16"), Load(1, 2039e9, "bf16")
    assert time_range([compute], A100, reached).best == pytest.approx(2)
    assert time_range([compute], A100, reached).worst == pytest.approx(4)
    assert time_range([memory], A100, reached).best == pytest.approx(1.25)
    assert time_range([compute, memory], A100, reached).worst == pytest.approx(6.5)


@pytest.mark.parametrize(("parameters", "published"), GPT_FAST_BF16)
def test_decoding_in_bf16_is_within_ten_percent_of_measurement(parameters: int, published: float):
    exactly = Efficiency(mbu=Band(DECODE_MBU, DECODE_MBU, "one constant"))
    seconds = time_range([Load(2 * parameters, 2 * parameters, "bf16")], A100, exactly).best
    assert 1 / seconds == pytest.approx(published, rel=0.1)


def test_the_bytes_of_a_token():
    assert 2 * NEW_SMALL == 15_009_849_344  # gpt-fast, Llama 3.1 8B, bf16


@pytest.mark.parametrize(("parameters", "published"), GPT_FAST_INT8)
def test_the_band_holds_what_was_measured_in_8_bit(parameters: int, published: float):
    found = time_range([Load(2 * parameters, parameters, "int8")], A100)
    assert found.best <= 1 / published <= found.worst


def test_the_band_is_the_measured_one():
    reached = [2 * n * rate / A100.bandwidth() for n, rate in GPT_FAST_BF16]
    reached += [n * rate / A100.bandwidth() for n, rate in GPT_FAST_INT8]
    assert (PUBLISHED_MBU.low, PUBLISHED_MBU.high) == pytest.approx((min(reached), max(reached)), abs=0.005)


@pytest.mark.parametrize("load", [Load(-1, 1, "bf16"), Load(1, float("nan"), "bf16")])
def test_sizes_that_are_none(load: Load):
    with pytest.raises(ArchspecError, match="D004"):
        timing(load, A100)


@pytest.mark.parametrize("band", [Band(0, 1, ""), Band(0.5, 0.4, ""), Band(0.5, 1.1, "")])
def test_bands_that_are_none(band: Band):
    with pytest.raises(ArchspecError, match="D004 MFU is a band"):
        time_range([], A100, Efficiency(mfu=band))
