"""The second phase: milliseconds of every candidate that is right; the best rows for the table."""

from __future__ import annotations

import math
from collections.abc import Iterable

from benchmarks.gpu import device as dev
from benchmarks.gpu.candidates import Tiles
from benchmarks.gpu.cases import Case
from benchmarks.gpu.correct import ahead
from benchmarks.gpu.kernels import Row
from benchmarks.gpu.operands import operands
from benchmarks.gpu.place import Job, Place, Runs
from benchmarks.gpu.record import Item


def jobs(checked: Iterable[Item], cases: Iterable[Case]) -> list[Job]:
    """Candidates that were right wherever they were checked, for the cases whose times choose."""
    known = [x for x in checked if "kernel" in x]
    wrong = {key(x) for x in known if not x.get("found", {}).get("right")}
    chosen = {case.name for case in cases if case.tunes}
    return [
        {word: x[word] for word in ("case", "kernel", "rows")}
        for x in known
        if x["case"] in chosen and key(x) not in wrong
    ]


def key(item: Item) -> Row:
    """Kernel, width, tiles."""
    ((kernel, width, tiles),) = item["rows"]
    return kernel, width, tuple(tiles)


def tuned(job: Job, place: Place) -> Job:
    """Milliseconds of the direction that the job's kernel is of; others keep theirs."""
    case = place.case(job)
    x = operands(case, place.device, place.dtype)
    with place.tiled(job, case):
        runs = Runs.of(place.ours(case), x, case).directions()
        return {
            "ms": dev.milliseconds(runs["forward" if ahead(job, case) else "backward"], place.device, rep=40)
        }


def best(timed: Iterable[Item]) -> list[Row]:
    """Of each kernel and width the tiles with the least geometric mean of milliseconds, over all cases.

    Tiles that were not timed in each of these cases are out of it.
    """
    times: dict[tuple[str, int], dict[Tiles, dict[str, float]]] = {}
    for item in timed:
        if "found" in item:
            kernel, width, tiles = key(item)
            times.setdefault((kernel, width), {}).setdefault(tiles, {})[item["case"]] = item["found"]["ms"]
    return [(*own, _fastest(rows)) for own, rows in times.items()]


def _fastest(rows: dict[Tiles, dict[str, float]]) -> Tiles:
    most = max(len(cases) for cases in rows.values())
    whole = {tiles: cases for tiles, cases in rows.items() if len(cases) == most}
    return min(whole, key=lambda tiles: math.prod(whole[tiles].values()))
