"""What the measurements on a GPU are made of: other ways that compute the same, tiles, tables, a page."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import page, peers, tune
from benchmarks.gpu.budget import Budget
from benchmarks.gpu.candidates import WIDE, candidates, row
from benchmarks.gpu.cases import CASES
from benchmarks.gpu.crew import Crew
from benchmarks.gpu.goals import GOALS, beside_flex, mean
from benchmarks.gpu.operands import gradient, operands
from benchmarks.gpu.plots import pictures
from benchmarks.gpu.record import Record, read
from benchmarks.gpu.reference import errors, pairs, reference, scope
from benchmarks.gpu.results import Raced
from benchmarks.gpu.rules import function, places
from benchmarks.gpu.show import goals, report, table_rows, tiles

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", CASES)
def test_every_way_computes_the_case(name: str):
    case = CASES[name].tiny()
    x, grad = operands(case, CPU, torch.float32), gradient(case, CPU, torch.float32)
    true = reference(case, x, grad)
    chosen = {"sdpa math", "flex", "eager"} & set(peers.names(CASES[name]))
    assert {"flex", "eager"} & chosen
    for way in chosen:
        with torch.no_grad():
            assert errors({"out": peers.peer(way, case, x, dry=True)(x)}, true)["out"] < 2e-6, way
    leaves = x.as_leaves()
    found = torch.autograd.grad(peers.peer("eager", case, leaves)(leaves), [*leaves.floats.values()], grad)
    assert max(errors(dict(zip(leaves.floats, found, strict=True)), true).values()) < 2e-5


@pytest.mark.parametrize("name", CASES)
def test_pairs_are_counted(name: str, monkeypatch: pytest.MonkeyPatch):
    case = CASES[name].tiny()
    x = operands(case, CPU, torch.float32)
    seen = function(case.rule or "q == q", scope(case, x))(
        *places((case.B, 1, case.Q, case.K), case.start, CPU)
    )
    every = seen.expand(case.B, case.H, case.Q, case.K)
    monkeypatch.setattr("benchmarks.gpu.reference.ROWS", 7 * case.K)
    assert pairs(case, x) == every.sum().item()


def test_the_same_structure_is_the_same_kernels():
    assert CASES["causal d128 8k"].structure == CASES["causal d64 16k"].structure
    assert CASES["causal d128 8k"].structure != CASES["softcap d128"].structure


def test_a_phase_that_ends_early_leaves_its_time():
    now = 100.0
    budget = Budget(540.0, 100.0, ("correct", "tune", "bench"), lambda: now)
    assert budget.left("correct") == pytest.approx(540 * 28 / 74)
    now = 110.0
    assert budget.left("bench") == pytest.approx(530)


def timed(case: str, tiles: tuple[int, ...], ms: float) -> dict[str, Any]:
    return {
        "case": case,
        "kernel": "forward",
        "rows": [["forward", 128, [*tiles]]],
        "found": {"ms": ms, "right": True},
    }


def test_the_best_tiles_are_those_of_all_cases():
    found = [timed("a", (1,), 4.0), timed("b", (1,), 1.0), timed("a", (2,), 1.0), timed("b", (2,), 5.0)]
    assert tune.best(found) == [("forward", 128, (1,))]
    assert tune.best([*found, timed("a", (3,), 0.1)]) == [("forward", 128, (1,))]  # not timed in both


def test_what_is_wrong_anywhere_is_not_tuned():
    right, wrong = timed("full d128 8k", (1,), 1.0), timed("full d128 8k", (2,), 1.0)
    failed = timed("ALiBi d128", (2,), 1.0) | {"found": {"right": False}}
    skipped = {**timed("ALiBi d128", (3,), 1.0), "error": "no time was left"}
    del skipped["found"]
    jobs = tune.jobs([right, wrong, failed, timed("full d128 8k", (3,), 1.0), skipped], CASES.values())
    assert [job["rows"] for job in jobs] == [right["rows"]]


def test_what_one_table_for_all_costs_is_shown():
    found = [timed("a", (1,), 4.0), timed("a", (2,), 1.0), timed("b", (1,), 1.0), timed("b", (2,), 5.0)]
    shown = tiles({"rows": [["forward", 128, [1]]]}, [{"phase": "tune", **x} for x in found])
    assert "| a | forward | 2 | 1.000 | 4.000 |" in shown
    assert "| b | forward | 1 | 1.000 | 1.000 |" in shown


def test_rows_are_written_as_the_table_has_them():
    assert row("forward", 90, 128, (128, 64, 4, 3, 1, 1, 1)) == (
        '("forward", 90, 128): Tiles(128, 64, 4, 3, tma=True, one_loop=True, special=True),'
    )
    assert all(candidates(kernel, 90, width) for kernel in WIDE for width in (64, 128))
    assert not any(
        tiles[4:] for kernel in WIDE for tiles in candidates(kernel, 80, 64) if kernel in ("forward",)
    )


def raced(case: str, **ms: float) -> dict[str, Any]:
    own = {way.replace("_", " "): [value] for way, value in ms.items()}
    found = {
        "pairs": 1_000_000,
        "ms": {"forward": own, "backward": own},
        "bytes": dict.fromkeys(own, 2_000_000),
    }
    return {"phase": "bench", "case": case, "found": found | {"errors": {}, "far": {}}}


def test_flops_are_those_of_pairs_that_count():
    (found,) = Raced.all([raced("causal d128 16k", triton=2.0)])
    assert found.flops_a_second("triton", "forward") == pytest.approx(4 * 128 * 1e6 / 2e-3)
    assert found.flops_a_second("triton", "backward") == pytest.approx(10 * 128 * 1e6 / 2e-3)
    assert found.flops_a_second("flex", "forward") is None


def test_bytes_are_those_of_keys_that_are_read():
    case = CASES["decode d128 32k"]
    item = raced(case.name, triton=1.0)
    item["found"]["pairs"] = case.B * case.H * case.K
    (found,) = Raced.all([item])
    assert found.bytes_a_second() == pytest.approx(2 * 8 * 8 * 32768 * 128 * 2 / 1e-3)


def test_goals_are_held_against_the_fastest_other_way():
    items = [
        raced("T5 distances d64", triton=1.0, flex=5.0, flex_tma=3.0),
        raced("causal d128 16k", triton=1.0),
    ]
    found = Raced.all(items)
    assert beside_flex(found, "backward") == {"T5 distances d64": pytest.approx(3.0)}
    assert "| T5 distances d64, backward, times flex or flex tma | 2.00 | 4.00 | 3.00 |" in goals(found)
    assert "| causal d128 16k, forward, times sdpa flash | 1.20 | 1.50 | not measured |" in goals(found)
    assert {goal.case for goal in GOALS} <= CASES.keys()
    assert mean([2.0, 8.0]) == pytest.approx(4.0)


def test_the_record_is_whole_at_every_moment(tmp_path: Path):
    record = Record(tmp_path / "x" / "out.json", {"device": "none"})
    record.add({"phase": "tune", "error": "no"})
    record.tell(rows=[["forward", 64, [128, 64, 8, 3]]], capability=[9, 0])
    assert read(record.path) == (record.about, record.items)
    assert table_rows(record.about) == ['("forward", 90, 64): Tiles(128, 64, 8, 3),']
    assert [path.name for path in record.path.parent.iterdir()] == ["out.json"]
    assert "tune: 1 items, 1 failed" in report(record.about, record.items)


SLEEPS = "import sys, time; [time.sleep(60) for _ in sys.stdin]"
ANSWERS = "import sys; [print('{}', flush=True) for _ in sys.stdin]"
ENDS = "import sys; sys.stdin.readline(); sys.exit(3)"


@pytest.mark.parametrize(
    ("code", "limit", "until", "answer"),
    [
        (ANSWERS, 60.0, 60.0, {}),
        (SLEEPS, 0.3, 60.0, {"error": "no answer in 0 s (status -9)"}),
        (SLEEPS, 60.0, 1.4, {"error": "no answer in 1 s (status -9)", "skipped": True}),
        (ENDS, 60.0, 60.0, {"error": "the process died (status 3)"}),
        (ANSWERS, 60.0, -1.0, {"error": "no time was left", "skipped": True}),
    ],
)
def test_every_job_is_told(
    code: str,
    limit: float,
    until: float,
    answer: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("benchmarks.gpu.crew.START", 0.0)
    crew, told = Crew(tmp_path, tmp_path / "log", 2, dry=True), list[dict[str, Any]]()
    crew.command = [sys.executable, "-c", code]
    crew.work([{"n": n} for n in range(3)], time.monotonic() + until, limit, told.append)
    crew.end()
    assert sorted(item["n"] for item in told) == [0, 1, 2]
    assert answer | {"n": 0} in told


def test_pictures_show_every_way():
    drawn = pictures(
        Raced.all([raced("causal d128 16k", triton=1.0, flex=2.0), raced("decode d128 32k", triton=1.0)])
    )
    assert set(drawn) == {"kernels-forward.svg", "kernels-backward.svg", "kernels-decode.svg"}
    assert drawn["kernels-forward.svg"].count("<rect") == 4  # two ways, in the legend too
    assert pictures([]) == {}


def test_the_page_shows_the_newest_results():
    """`python -m benchmarks.gpu page` writes it."""
    text, drawn = page.measured(page.newest())
    written = page.PAGE.read_text("utf-8")
    assert written == page.put(written, text)
    assert all((page.PAGE.parent / name).read_text("utf-8") == picture for name, picture in drawn.items())


def test_rehearsals_are_no_results(tmp_path: Path):
    Record(tmp_path / "cpu" / "2026-01-02.json", {"dry": True})
    assert page.newest(tmp_path) is None
    real = Record(tmp_path / "gpu" / "2026-01-01.json", {"dry": False})
    assert page.newest(tmp_path) == real.path


def test_nothing_is_not_a_number():
    assert math.isinf(errors({"out": torch.tensor([math.nan])}, {"out": torch.ones(1).double()})["out"])
