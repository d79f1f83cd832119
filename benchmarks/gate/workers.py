"""Hands jobs to worker processes and takes in what they find."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

ROOT = Path(__file__).parents[2]
Report = Callable[[dict[str, Any]], None]


def findings(jobs: Sequence[dict[str, Any]], python: str, workers: int, cache: Path, seen: Report) -> list[dict[str, Any]]:
    """What every job came to, in any order; `seen` is told of each at once.

    `python`: the interpreter of an environment with Triton. `cache`: where Triton keeps what it compiled.
    """
    waiting: SimpleQueue[dict[str, Any]] = SimpleQueue()
    for job in jobs:
        waiting.put(job)
    with ThreadPoolExecutor(workers) as pool:
        runs = [pool.submit(_work, waiting, python, cache, seen) for _ in range(workers)]
        return [found for run in runs for found in run.result()]


def _work(waiting: SimpleQueue[dict[str, Any]], python: str, cache: Path, seen: Report) -> list[dict[str, Any]]:
    """One process, which gets a job when it has answered the one before."""
    out: list[dict[str, Any]] = []
    while True:
        with _process(python, cache) as process:
            assert process.stdin is not None and process.stdout is not None, "both are pipes"
            while True:
                try:
                    job = waiting.get_nowait()
                except Empty:
                    process.stdin.close()
                    return out
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
                # The compiler is C++ and may end its process: then there is no answer, and the next job has a new one.
                found = json.loads(answer) if answer else {"name": job["name"], "error": "the compiler crashed"}
                out.append(found)
                seen(found)
                if not answer:
                    break


def _process(python: str, cache: Path) -> subprocess.Popen[str]:
    """Without the interpreter's switch, which would leave nothing to compile."""
    kept = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    return subprocess.Popen(
        [python, "-m", "benchmarks.gate.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        env={**kept, "TRITON_CACHE_DIR": str(cache)},
    )  # fmt: skip
