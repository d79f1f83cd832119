"""Hands jobs to worker processes and takes in what they find."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

ROOT = Path(__file__).parents[2]
Finding = dict[str, Any]
Waiting = SimpleQueue[dict[str, Any]]


def findings(
    jobs: Sequence[dict[str, Any]], python: str, workers: int, cache: Path, seen: Callable[[Finding], None]
) -> list[Finding]:
    """What every job came to, in any order; `seen` is told of each at once.

    `python`: the interpreter of an environment with Triton. `cache`: where Triton keeps what it compiled.
    """
    waiting: Waiting = SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def work() -> list[Finding]:
        found: list[Finding] = []
        for each in _answers(waiting, python, cache):
            seen(each)
            found.append(each)
        return found

    with ThreadPoolExecutor(workers) as pool:
        runs = [pool.submit(work) for _ in range(workers)]
        return [found for run in runs for found in run.result()]


def _answers(waiting: Waiting, python: str, cache: Path) -> Iterator[Finding]:
    """Of one process after the other: the compiler is C++, and may end its own."""
    while not waiting.empty():
        with _process(python, cache) as process:
            while (found := _answer(process, waiting)) is not None:
                yield found
                if process.poll() is not None:
                    break


def _answer(process: subprocess.Popen[str], waiting: Waiting) -> Finding | None:
    """What the next job came to; None where none is left, which ends the process."""
    assert process.stdin is not None, "a pipe"
    assert process.stdout is not None, "a pipe"
    try:
        job = waiting.get_nowait()
    except Empty:
        process.stdin.close()
        return None
    process.stdin.write(json.dumps(job) + "\n")
    process.stdin.flush()
    if answer := process.stdout.readline():
        return json.loads(answer)
    process.wait()
    return {"name": job["name"], "error": f"the compiler ended with status {process.returncode}"}


def _process(python: str, cache: Path) -> subprocess.Popen[str]:
    """Without the interpreter's switch, which would leave nothing to compile."""
    kept = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    return subprocess.Popen(
        [python, "-m", "benchmarks.gate.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        env={**kept, "TRITON_CACHE_DIR": str(cache)},
    )  # fmt: skip
