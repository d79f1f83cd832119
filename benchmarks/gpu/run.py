"""All phases in order, each within its share of the time; what is found is saved item by item."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.gpu import bench, correct, models, tune
from benchmarks.gpu import device as dev
from benchmarks.gpu.budget import PHASES, Budget
from benchmarks.gpu.candidates import KERNELS
from benchmarks.gpu.cases import CASES, DRY, Case
from benchmarks.gpu.crew import Crew
from benchmarks.gpu.kernels import Row, index, row_capability
from benchmarks.gpu.place import Job
from benchmarks.gpu.record import Item, Record

LIMITS = {"correct": 60.0, "tune": 30.0, "warm": 100.0, "bench": 90.0, "models": 120.0}  # seconds of one job
WORKERS = 14  # processes that compile: of 16 cores


class Session:
    """A run: its record, its workers, and what to leave out. `wanted`: cases and models (none: all)."""

    def __init__(
        self, folder: Path, out: Path, phases: Sequence[str], seconds: float, wanted: Sequence[str], dry: bool
    ) -> None:
        self.dry, self.wanted, self.budget = (
            dry,
            wanted,
            Budget.of(seconds, tuple(x for x in PHASES if x in phases)),
        )
        self.prepared = index(folder)
        day = datetime.now(UTC).date().isoformat()
        about: Item = dev.about() | {
            "dry": dry,
            "date": day,
            "budget": seconds,
            "clocks": [dev.smi(dev.CLOCKS)],
        }
        name = re.sub(r"\W+", "-", about["device"].lower())
        path = out if out.suffix == ".json" else out / name / f"{day}.json"
        self.record = Record(path, about | {"prepared": self.prepared["of"]})
        self.crew = Crew(
            folder, self.record.path.with_suffix(".log"), 2 if dry else min(WORKERS, os.cpu_count() or 1), dry
        )

    def cases(self) -> list[Case]:
        names = self.wanted or (DRY if self.dry else [*CASES])
        return [CASES[x] for x in names if x in CASES]

    def run(self) -> Record:
        for phase in self.budget.phases:
            print(f"{phase}: {self.budget.left(phase):.0f} s", flush=True)
            self.work(phase, getattr(self, f"_{phase}")())
        self.crew.end()
        self.record.tell(clocks=[*self.record.about["clocks"], dev.smi(dev.CLOCKS)])
        return self.record

    def work(self, phase: str, jobs: Iterable[Job]) -> None:
        """One process where time is measured, many where it is not."""
        alone = phase not in ("correct", "warm")
        if alone and not self.dry:
            self.crew.end()
        self.record.tell(**{f"began_{phase}": round(time.monotonic() - self.budget.began, 1)})
        asked = [{"phase": phase, **job} for job in jobs]
        self.crew.work(asked, self.budget.end(phase), LIMITS[phase], self._tell, 1 if alone else None)

    def _tell(self, item: Item) -> None:
        self.record.add(item)
        what = [
            str(item.get(word)) for word in ("phase", "case", "model", "kernel", "peer") if item.get(word)
        ]
        rows = item.get("rows", []) if "kernel" in item else []
        wrong = "" if item.get("found", {}).get("right", True) else f" WRONG {item['found']['errors']}"
        print(*what, *rows, item.get("error", "") or f"{item['seconds']} s{wrong}", flush=True)

    def _correct(self) -> list[Job]:
        return correct.jobs(self.prepared, self.cases(), self._capability())

    def _capability(self) -> int:
        """Of candidates: 0 in a rehearsal."""
        return 0 if self.dry else row_capability(dev.device())

    def _warm(self) -> list[Job]:
        """Nothing where nothing is compiled."""
        return [] if self.dry else [*bench.warming(self.cases()), *self._asked(models.warming(self.rows()))]

    def _tune(self) -> list[Job]:
        return tune.jobs(self.record.of("correct"), self.cases())

    def rows(self) -> list[Row]:
        """The best tiles; those of the table where nothing was tuned."""
        found = tune.best(self.record.of("tune"))
        self.record.tell(rows=[list(row) for row in sorted(found, key=lambda x: (KERNELS.index(x[0]), x[1]))])
        return found

    def _bench(self) -> list[Job]:
        return bench.jobs(self.cases(), self.rows())

    def _models(self) -> list[Job]:
        return self._asked(models.jobs(self.rows(), self.dry))

    def _asked(self, jobs: Iterable[Job]) -> list[Job]:
        return [job for job in jobs if not self.wanted or job["model"] in self.wanted]
