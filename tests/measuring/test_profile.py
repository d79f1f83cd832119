"""Times are never asserted, only that they are times, and what is told of them."""

import pytest

import archspec
from archspec.errors import ArchspecError
from archspec.reports.measured import Measured, Profile
from archspec.reports.question import Question
from tests.measuring.tiny import FP32, SIZES, SLOW, of, spec


def measured(found: Profile, name: str) -> Measured:
    return next(done for done, _ in found.results if done.name == name)


def plausible(done: Measured) -> None:
    times = done.latency
    assert 0 < times.seconds[0] <= times.p50 <= times.at(0.9) <= times.at(0.99) == times.seconds[-1]


def test_forward_decode_and_train():
    asked = Question(sizes=SIZES, past=5, **FP32)
    found = archspec.profile(spec(), asked, decode=True, train=True, repeat=4, device=SLOW)
    assert [(done.name, done.items, done.latency.runs) for done, _ in found.results] == [
        ("forward", 16, 4), ("decode", 2, 4), ("train", 16, 4),
    ]  # fmt: skip
    for done, ideal in found.results:
        plausible(done)
        assert ideal.ideal.seconds > 0
    forward, ideal = found.results[0]
    assert forward.live == ideal.live is not None
    titles = [table.title for table in found.tables()]
    assert titles[1] == "decode behind 5 tokens on a slow device"
    rows = {row.label: row for row in found.tables()[0].rows}
    assert rows["p99"].note == "of 4 runs: the slowest"
    assert {"MFU", "MBU", "share of the roofline", "tokens per second"} <= set(rows)


@pytest.mark.parametrize("name", ["t5", "rwkv", "whisper"])
def test_decoders_of_other_kinds(name: str):
    """Behind an encoder; with a state that every step replaces."""
    loaded = of(name)
    sizes = dict.fromkeys(archspec.lower(loaded).dims, 6)
    found = archspec.profile(loaded, Question(sizes=sizes, **FP32), decode=True, repeat=2, device=SLOW)
    plausible(measured(found, "decode"))


def test_what_was_reached_is_a_band_that_estimates_take():
    found = archspec.profile(spec(), Question(sizes=SIZES, **FP32), repeat=3, device=SLOW)
    reached = found.reached()
    assert 0 < reached.mfu.low <= reached.mfu.high <= 1
    assert reached.mfu == reached.mbu  # one workload has one bound
    assert "forward of a profile, 3 runs on a slow device" in reached.mfu.source


def test_a_model_that_keeps_nothing_does_not_decode():
    with pytest.raises(ArchspecError) as error:
        archspec.profile(of("vit"), Question(sizes={"B": 1}, **FP32), decode=True, device=SLOW)
    assert [found.code for found in error.value.diagnostics] == ["A021"]


def test_an_empty_cache_is_none():
    with pytest.raises(ArchspecError, match="needs a token in its cache"):
        archspec.profile(spec(), Question(sizes={"B": 1, "S": 1}, **FP32), decode=True, device=SLOW)


def test_a_device_without_a_peak_for_the_dtype():
    with pytest.raises(ArchspecError) as error:
        archspec.profile(spec(), Question(sizes=SIZES, dtype="bfloat16"), repeat=1, device=SLOW)
    assert [found.code for found in error.value.diagnostics] == ["D003"]
