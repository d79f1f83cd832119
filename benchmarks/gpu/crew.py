"""Worker processes, each fed one job at a time. One that dies or takes too long is replaced."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from benchmarks.gpu.record import Item as Job

START = 60.0  # seconds until a process has imported torch
DRY = {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
REAL = {"TORCHINDUCTOR_COMPILE_THREADS": "1"}  # the crew itself compiles in parallel


class Worker:
    """A child process of worker.py."""

    def __init__(self, command: list[str], environment: dict[str, str], log: IO[bytes]) -> None:
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        )
        self.fresh, self._rest = True, b""

    def ask(self, job: Job, seconds: float) -> Job:
        """The answer to a job; an error where the process ends or `seconds` pass, and then it is gone."""
        wait = seconds + (START if self.fresh else 0.0)
        self.fresh = False
        try:
            return self._answer(job, time.monotonic() + wait)
        except TimeoutError:
            return self._gone(f"no answer in {wait:.0f} s") | {"late": True}
        except (EOFError, BrokenPipeError):
            with suppress(subprocess.TimeoutExpired):
                self.child.wait(5)
            return self._gone("the process died")

    def _answer(self, job: Job, until: float) -> Job:
        sent, out = self.child.stdin, self.child.stdout
        assert sent is not None
        assert out is not None
        sent.write((json.dumps(job) + "\n").encode())
        sent.flush()
        while b"\n" not in self._rest:
            if not select.select([out], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError
            more = os.read(out.fileno(), 1 << 16)
            if not more:
                raise EOFError
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def _gone(self, why: str) -> Job:
        self.end()
        return {"error": f"{why} (status {self.child.returncode})"}

    @property
    def alive(self) -> bool:
        return self.child.poll() is None

    def end(self) -> None:
        self.child.kill()
        self.child.wait()


class Crew:
    """`size` threads, each with a worker of its own, over one list of jobs."""

    def __init__(self, folder: Path, log: Path, size: int, dry: bool) -> None:
        worker = [sys.executable, "-m", "benchmarks.gpu.worker", str(folder)]
        self.command = [*worker, "--dry"] if dry else worker
        self.environment = {**os.environ, **(DRY if dry else REAL)}
        self.log, self.size = log, size
        self.idle: list[Worker] = []
        self._lock = threading.Lock()

    def work(
        self,
        jobs: Iterable[Job],
        until: float,
        limit: float,
        tell: Callable[[Job], None],
        size: int | None = None,
    ) -> None:
        """Each job is told with `found` or `error`, also those for which no time is left before `until`."""
        left = deque(jobs)
        threads = [
            threading.Thread(target=self._through, args=(left, until, limit, tell))
            for _ in range(min(size or self.size, len(left)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _through(self, left: deque[Job], until: float, limit: float, tell: Callable[[Job], None]) -> None:
        worker: Worker | None = None
        while left:
            try:
                job = left.popleft()
            except IndexError:  # another thread took the last one
                break
            rest = until - time.monotonic()
            if rest <= 0:
                tell(job | {"error": "no time was left", "skipped": True})
                continue
            worker = worker if worker is not None and worker.alive else self._worker()
            answer = worker.ask(job, min(limit, rest))
            if answer.pop("late", False) and rest < limit:
                answer["skipped"] = True
            if "spoilt" in answer:
                worker.end()
            tell(job | answer)
        if worker is not None and worker.alive:
            self.idle.append(worker)

    def _worker(self) -> Worker:
        """One that waits, or a new one."""
        with self._lock:
            while self.idle:
                found = self.idle.pop()
                if found.alive:
                    return found
        with self.log.open("ab") as log:
            return Worker(self.command, self.environment, log)

    def end(self) -> None:
        for worker in self.idle:
            worker.end()
        self.idle.clear()
