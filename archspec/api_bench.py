"""The verb that measures one model under several runtimes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec import api
from archspec.api import Named, load, lower
from archspec.atomic import write_text
from archspec.errors import ArchspecError, Diagnostic, did_you_mean
from archspec.extras import installed
from archspec.measuring.worker import HELD
from archspec.reports.account import Account
from archspec.reports.question import Question

if TYPE_CHECKING:
    from archspec.reports.bench import Bench

RUNTIMES = tuple(HELD)


def bench(
    spec: Named, sizes: Mapping[str, int], *, decode: bool = False, past: int | None = None, threads: int = 1,
    runtimes: Sequence[str] = RUNTIMES, repeat: int | None = None, weights: Path | str | None = None,
    seed: int | None = 0, attention: str = "sdpa",
) -> Bench:  # fmt: skip
    """Latency, throughput, memory and file size of a model on this CPU, in float32 and as int8, in one run.

    Of a forward pass at `sizes`, or with `decode` of a token behind `past` others (else all but one of a
    sequence). Each runtime has a process of its own with so many `threads`; all run once a round, `repeat`
    rounds, else 100, or as many as take a minute. Raises ArchspecError A001, A002 for sizes, A020, A021, A022
    where the model does not fit, decode or run, A023 for a runtime; X002 where torch or onnxruntime is
    missing; what `compile` and `export` raise.
    """
    _check(runtimes)
    with installed("torch"):
        from archspec.measuring import profile  # lazy: only measuring needs torch
    with installed("onnx"):
        from archspec.measuring import bench as measuring  # lazy: the same
        from archspec.measuring.bench_files import Prepared  # lazy: the same
        from archspec.reports.bench import Bench  # lazy: the same
        from archspec.reports.measured import items  # lazy: the same

    loaded = load(spec)
    question = Question(sizes=sizes, past=past, attention=attention, dtype="float32", hardware="cpu")
    account = Account(lower(loaded), question)
    profile.check(account, profile.Work(decode=decode))
    module = api.compile(loaded, attention=attention, weights=weights, seed=seed)
    behind = account.past if decode else None
    with tempfile.TemporaryDirectory() as scratch:
        candidates = Prepared(module, account, behind).candidates(runtimes, Path(scratch))
        found = measuring.measure(candidates, threads, measuring.Rounds(repeat))
    name = "decode" if decode else "forward"
    where = f"{name} behind {behind} tokens" if decode else name
    return Bench(
        account.graph.name, where, dict(sizes), threads, *items(account, name),
        found.results, found.failed, measuring.machine(threads),
    )  # fmt: skip


def save_bench(found: Bench, path: Path | str) -> None:
    """Writes a measurement as the JSON file that `load_bench` reads. Raises ArchspecError F001, F002."""
    from archspec.reports.bench import bench_text  # lazy: short commands start without it

    write_text(Path(path), bench_text(found))


def load_bench(path: Path | str) -> Bench:
    """A measurement that was saved. Raises ArchspecError D011 where the file holds none."""
    from archspec.reports.bench import read_bench  # lazy: the same

    return read_bench(Path(path))


def _check(runtimes: Sequence[str]) -> None:
    for name in runtimes:
        if name not in RUNTIMES:
            hint = did_you_mean(name, RUNTIMES) or f"there is: {', '.join(RUNTIMES)}"
            raise ArchspecError(Diagnostic("A023", f"no runtime is called '{name}'", None, hint))
