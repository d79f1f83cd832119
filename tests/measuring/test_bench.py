"""One model under several runtimes. Times are never asserted, only that they are times."""

from pathlib import Path

import pytest

import archspec
from archspec.errors import ArchspecError
from archspec.measuring.bench import Candidate, Rounds, measure
from archspec.reports.bench import Bench
from tests.measuring.tiny import SIZES, of, spec

RUNTIMES = ("torch", "onnxruntime", "onnxruntime-int8")


def check(found: Bench, rounds: int) -> None:
    assert [ran.runtime for ran in found.results] == list(RUNTIMES[: len(found.results)])
    for ran in found.results:
        assert len(ran.seconds) == rounds
        assert all(0 < seconds < 60 for seconds in ran.seconds)
        assert 2**24 < ran.memory < 2**34
    first, *others = found.results
    assert first.agreement is None
    assert found.ratio(first) == 1
    for ran in others:
        assert ran.agreement is not None
        same = ran.runtime == "onnxruntime"
        assert ran.agreement.cosine > (1 - 1e-6 if same else 0.99), ran.runtime
        assert (ran.agreement.most < 1e-4 * ran.agreement.largest) is same, ran.runtime


def test_forward():
    found = archspec.bench(spec(hidden_size=64), SIZES, runtimes=RUNTIMES, repeat=2)
    check(found, rounds=2)
    assert (found.model, found.workload, found.items, found.unit) == ("gpt2", "forward", 16, "tokens")
    torch, onnx, int8 = found.results
    assert onnx.files == pytest.approx(torch.files, rel=0.1)
    assert int8.files < onnx.files
    assert onnx.memory < torch.memory  # its process never imports torch


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_decode(name: str):
    """What follows is the same as behind torch's own cache: the first output agrees."""
    loaded = of(name)
    sizes = dict.fromkeys(archspec.lower(loaded).dims, 6)
    found = archspec.bench(loaded, sizes, decode=True, past=4, runtimes=RUNTIMES[:2], repeat=1)
    check(found, rounds=1)
    assert (found.workload, found.items) == ("decode behind 4 tokens", 6)


def test_saved_and_loaded(tmp_path: Path):
    found = archspec.bench(spec(), SIZES, runtimes=["onnxruntime"], repeat=1)
    archspec.save_bench(found, tmp_path / "bench.json")
    assert archspec.load_bench(tmp_path / "bench.json") == found


@pytest.mark.parametrize("text", ["", "{}", '{"model": 1}'])
def test_another_file_is_no_measurement(text: str, tmp_path: Path):
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(ArchspecError) as error:
        archspec.load_bench(tmp_path / "bench.json")
    assert [found.code for found in error.value.diagnostics] == ["D011"]


def test_a_runtime_that_there_is_not():
    with pytest.raises(ArchspecError, match="did you mean 'torch'") as error:
        archspec.bench(spec(), SIZES, runtimes=["torhc"])
    assert [found.code for found in error.value.diagnostics] == ["A023"]


def test_a_model_that_keeps_nothing_does_not_decode():
    with pytest.raises(ArchspecError) as error:
        archspec.bench(of("vit"), {"B": 1}, decode=True)
    assert [found.code for found in error.value.diagnostics] == ["A021"]


def test_why_a_process_does_not_start(tmp_path: Path):
    """A folder without a model."""
    with pytest.raises(ArchspecError, match=r"onnxruntime: .*model\.onnx") as error:
        measure([Candidate("onnxruntime", tmp_path, ())], 1, Rounds(1))
    assert [found.code for found in error.value.diagnostics] == ["A022"]


def test_rounds():
    assert [Rounds(repeat=3).enough(done, 1e9) for done in (2, 3)] == [False, True]
    assert [Rounds().enough(done, 61) for done in (4, 5)] == [False, True]
    assert [Rounds().enough(done, 1) for done in (99, 100)] == [False, True]
