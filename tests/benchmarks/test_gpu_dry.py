"""The measurements on a GPU, rehearsed on a CPU: all phases record something, what fails stops nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("triton", reason="the kernels' language is of the extra `gpu`")

ROOT = Path(__file__).parents[2]
GOOD, RAISES, DIES, MODEL = "decode window 1k d128 32k", "ALiBi d128", "documents d128 16k", "GPT-2"
MISTAKEN = "decode d64 32k"
PHASES = ("correct", "bench", "models")


def gpu(*words: str | Path) -> str:
    """`python -m benchmarks.gpu` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.gpu", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run in which one case raises an error, one ends its process, one leaves out a key."""
    folder = tmp_path_factory.mktemp("gpu")
    chosen = [word for name in (RAISES, DIES, GOOD, MISTAKEN, MODEL) for word in ("--only", name)]
    gpu("prepare", "--dry", folder, *chosen)
    files = json.loads((folder / "cases.json").read_text())["cases"]
    for name, line in ((RAISES, 'raise RuntimeError("on purpose")'), (DIES, "import os; os._exit(3)")):
        with (folder / "kernels" / files[name]["file"]).open("a") as file:
            file.write(f"\n{line}\n")
    mistaken = folder / "kernels" / files[MISTAKEN]["file"]
    right = mistaken.read_text()
    mistaken.write_text(right.replace("return k <= q", "return k < q"))
    assert mistaken.read_text() != right
    asked = [word for phase in PHASES for word in ("--phase", phase)]
    gpu("run", "--dry", folder, "-o", folder / "out.json", *asked, *chosen)
    return folder / "out.json"


def items(path: Path, **what: str) -> list[dict[str, Any]]:
    found = json.loads(path.read_text())["items"]
    return [item for item in found if all(item.get(word) == value for word, value in what.items())]


@pytest.mark.slow  # about 15 s of the interpreter, in three processes
def test_every_phase_finds_something(rehearsed: Path):
    checked = items(rehearsed, phase="correct", case=GOOD)
    assert len(checked) == 2  # the table's own tiles, and a candidate for `decode`
    assert all(item["found"]["right"] and 0 < item["found"]["errors"]["out"] < 2e-5 for item in checked)
    (raced,) = items(rehearsed, phase="bench", case=GOOD)
    assert raced["found"]["pairs"] == 16  # two heads; a window of 1,024 of 32,768 keys, of 264
    assert {"triton", "sdpa math", "flex", "eager"} <= raced["found"]["ms"]["forward"].keys()
    assert max(raced["found"]["far"].values()) < 2e-5
    (model,) = items(rehearsed, phase="models")
    assert {"triton", "sdpa", "eager"} == model["found"]["ms"]["step"].keys()
    assert 0 < model["found"]["far"]["triton"] < 2e-5


@pytest.mark.slow  # as above
def test_a_case_that_fails_is_written_down_and_stops_nothing(rehearsed: Path):
    raised = items(rehearsed, phase="correct", case=RAISES)
    assert len(raised) == 4
    assert all("RuntimeError: on purpose" in item["error"] for item in raised)
    died = items(rehearsed, phase="correct", case=DIES)
    assert len(died) == 4
    assert all("died (status 3)" in item["error"] for item in died)
    (raced,) = items(rehearsed, phase="bench", case=RAISES)
    assert "on purpose" in raced["error"]


@pytest.mark.slow  # as above
def test_what_is_wrong_is_found(rehearsed: Path):
    wrong = items(rehearsed, phase="correct", case=MISTAKEN)
    assert [item["found"]["right"] for item in wrong] == [False, False]
    (raced,) = items(rehearsed, phase="bench", case=MISTAKEN)
    assert raced["found"]["far"]["eager"] > 1e-3


@pytest.mark.slow  # as above
def test_a_run_is_shown(rehearsed: Path):
    shown = gpu("show", rehearsed)
    assert f"| {GOOD} |" in shown
    assert "| GPT-2 | triton |" in shown
    assert "correct: 12 items, 8 failed, 2 wrong, 0 for which no time was left" in shown


def test_what_measures_needs_no_archspec():
    """A machine with a GPU may have torch and triton alone."""
    measuring = "benchmarks.gpu.worker, benchmarks.gpu.run, benchmarks.gpu.show, benchmarks.gpu.__main__"
    absent = ("archspec", "msgspec", "pydantic", "transformers", "diffusers")
    hidden = f"import sys; sys.modules |= dict.fromkeys({absent})"
    code = f"{hidden}; import {measuring}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
