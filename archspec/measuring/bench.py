"""One model under several runtimes, each in a process of its own, all of them in turn."""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from msgspec import Struct

from archspec.backends.onnx.agreement import Agreement, agreement
from archspec.errors import ArchspecError, Diagnostic
from archspec.measuring.worker import FIRST
from archspec.reports.bench import Ran

WARM_UP = 3
PACKAGES = Path(__file__).parents[2]


class Rounds(Struct, frozen=True):
    """`repeat` rounds; without, at most `most`, or as many as take `budget` seconds, but `least`."""

    repeat: int | None = None
    most: int = 100
    least: int = 5
    budget: float = 60.0

    def enough(self, done: int, spent: float) -> bool:
        if self.repeat is not None:
            return done >= self.repeat
        return done >= self.most or (done >= self.least and spent > self.budget)


class Candidate(Struct, frozen=True):
    """A runtime with the folder that its process reads, and the files that are the model."""

    runtime: str
    folder: Path
    files: tuple[Path, ...]


class Outcome(Struct, frozen=True):
    """What ran, and why others did not."""

    results: tuple[Ran, ...]
    failed: Mapping[str, str]


def measure(candidates: Sequence[Candidate], threads: int, rounds: Rounds) -> Outcome:
    """Runs every candidate once a round, in an order that is drawn anew.

    Raises ArchspecError A022 where none of them starts, or one ends before it is done.
    """
    failed = dict[str, str]()
    with _held(candidates, threads, failed) as workers:
        if not workers:
            raise _fails("; ".join(f"{name}: {reason}" for name, reason in failed.items()))
        try:
            seconds = _in_turn(workers, rounds)
            memory = {worker.name: worker.end() for worker in workers}
        except WorkerError as error:
            raise _fails(str(error)) from error
    ran = [one for one in candidates if one.runtime in seconds]
    return Outcome(tuple(_results(ran, seconds, memory)), failed)


def _fails(reason: str) -> ArchspecError:
    return ArchspecError(Diagnostic("A022", f"the model does not run: {reason}"))


def _in_turn(workers: Sequence[Worker], rounds: Rounds) -> dict[str, list[float]]:
    for _ in range(WARM_UP):
        for worker in workers:
            worker.run()
    found: dict[str, list[float]] = {worker.name: [] for worker in workers}
    order, draw, done, started = list(workers), random.Random(0), 0, perf_counter()
    while not rounds.enough(done, perf_counter() - started):
        draw.shuffle(order)
        for worker in order:
            found[worker.name].append(worker.run())
        done += 1
    return found


def _results(
    ran: Sequence[Candidate], seconds: Mapping[str, list[float]], memory: Mapping[str, int]
) -> Iterator[Ran]:
    for one in ran:
        name, files = one.runtime, sum(path.stat().st_size for path in one.files)
        agrees = None if one is ran[0] else _agreement(one.folder, ran[0].folder)
        yield Ran(name, tuple(seconds[name]), memory[name], files, agrees)


def _agreement(folder: Path, first: Path) -> Agreement | None:
    """Of the first output that both give."""
    with np.load(folder / FIRST) as found, np.load(first / FIRST) as wanted:
        shared = next((name for name in wanted if name in found), None)
        return None if shared is None else agreement(found[shared], wanted[shared])


class Worker:
    """The process of one candidate."""

    def __init__(self, candidate: Candidate, threads: int) -> None:
        self.name = candidate.runtime
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process: `_held` closes it
        command = [sys.executable, "-m", "archspec.measuring.worker", candidate.runtime]
        paths = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [*command, str(candidate.folder), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(paths)},
        )  # fmt: skip

    def ready(self) -> None:
        self._answer()

    def run(self) -> float:
        return float(self._asked("run")["seconds"])

    def end(self) -> int:
        return int(self._asked("end")["memory"])

    def _asked(self, word: str) -> dict[str, Any]:
        assert self.process.stdin is not None, "it is a pipe"
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None, "it is a pipe"
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        return json.loads(line)

    def _last_words(self) -> str:
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else f"its process ended with {self.process.returncode}"


class WorkerError(Exception):
    """A process ended before it answered; why."""


@contextmanager
def _held(candidates: Sequence[Candidate], threads: int, failed: dict[str, str]) -> Generator[list[Worker]]:
    """Workers that are ready; each is made ready alone. They end with the block."""
    workers: list[Worker] = []
    try:
        for candidate in candidates:
            workers.append(Worker(candidate, threads))
            try:
                workers[-1].ready()
            except WorkerError as error:
                failed[candidate.runtime] = str(error)
        yield [worker for worker in workers if worker.name not in failed]
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.communicate()
            worker.errors.close()


def machine(threads: int) -> tuple[str, ...]:
    """What the numbers depend on beside the model."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnxruntime"))
    return (f"{platform.machine()}, {os.cpu_count()} cores, {threads} threads; {packages}",)
