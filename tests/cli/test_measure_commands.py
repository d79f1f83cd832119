"""`archspec analyze --verify`, `archspec profile`, and the files that they hand to each other."""

import json
from pathlib import Path

import pytest

import archspec
from archspec.reports.verify import Line, Verified
from tests.cli.runner import cli
from tests.measuring.tiny import GPT2, SLOW

SETS = [word for name, value in GPT2.items() for word in ("--set", f"{name}={value}")]
MODEL = ["gpt2", "B=1", "S=8", *SETS]
FP32 = ["--dtype", "float32", "--precision", "fp32"]


def machine(folder: Path) -> Path:
    archspec.save_device(SLOW, folder / "machine.yaml")
    return folder / "machine.yaml"


def test_verify_shows_the_comparison_behind_the_rest():
    text = cli("analyze", *MODEL, *FP32, "--verify").stdout
    assert text.index("Memory of inference") < text.index("Predicted, and measured on the real module")
    assert "differs" not in text


def test_verify_ends_with_1_where_something_differs(monkeypatch: pytest.MonkeyPatch):
    wrong = Verified((Line("parameters", 1, 2, "count", "differs", "the first one"),))
    monkeypatch.setattr(archspec, "verify_cost", lambda spec, question: wrong, raising=False)  # pyright: ignore[reportUnknownLambdaType]  # it takes anything
    assert "the first one" in cli("analyze", *MODEL, *FP32, "--verify", status=1).stdout


def test_profile_writes_what_analyze_expects_later(tmp_path: Path):
    """The machine's file and the efficiencies on it stand in for those of a data sheet."""
    device, reached = machine(tmp_path), tmp_path / "reached.json"
    words = ("--decode", "--repeat", "3", "--device", device, "-o", reached)
    text = cli("profile", *MODEL, *words).stdout
    assert "forward on a slow device" in text
    assert "decode behind 7 tokens on a slow device" in text
    bands = json.loads(reached.read_text())
    assert 0 < bands["mfu"]["low"] <= bands["mfu"]["high"] <= 1
    share = f"{bands['mfu']['high']:.0%} to {bands['mfu']['low']:.0%} of the FLOP/s"
    later = ("--dtype", "float32", "--precision", "fp32", "--device", device, "--reached", reached)
    assert share in cli("analyze", *MODEL, *later).stdout
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_profile_as_data(tmp_path: Path):
    words = ("--repeat", "2", "--device", machine(tmp_path), "--format", "json")
    (forward,) = json.loads(cli("profile", *MODEL, *words).stdout)
    rows = {row["label"]: row for row in forward["rows"]}
    assert 0 < rows["p50"]["measured"] <= rows["p99"]["measured"]
    assert rows["memory, most alive"]["measured"] == rows["memory, most alive"]["estimated"] > 0


def test_the_machine_is_calibrated_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archspec, "calibrate", lambda: SLOW, raising=False)
    assert "peak in fp32" in cli("profile", "--calibrate", "-o", tmp_path / "my.yaml").stdout
    assert archspec.device(tmp_path / "my.yaml").bandwidth() == SLOW.bandwidth()


@pytest.mark.parametrize(
    "words",
    [
        ["profile"],
        ["profile", "gpt2", "--calibrate"],
        ["profile", "gpt2", "B=0x1"],
        ["profile", "gpt2", "--weights", "a", "--init", "1"],
        ["analyze", "gpt2", "--reached", "reached.json"],
    ],
)
def test_a_wrong_command_line(words: list[str]):
    cli(*words, status=2)


def test_findings(tmp_path: Path):
    device = machine(tmp_path)
    missing = ("--device", str(device), "--reached", str(tmp_path / "nothing.json"))
    assert "D010" in cli("analyze", *MODEL, *missing, status=1).stderr
    assert "A001" in cli("profile", "gpt2", *SETS, "B=1", "--device", device, status=1).stderr
    assert "A020" in cli("profile", "llama", "--preset", "405b", "B=1", "S=64", status=1).stderr
