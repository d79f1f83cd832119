"""Two things timed in turn, A B A B …, so that a drifting machine hits both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """Median seconds of each side, and the median of the ratios peer / ours: above 1, ours is faster."""

    ours: float
    peer: float
    ratio: float
    low: float
    high: float


Clock = Callable[[], float]


def paired(
    ours: Callable[[], object], peer: Callable[[], object], repeats: int, clock: Clock = time.perf_counter
) -> Pair:
    """Time both after two warm-ups each; the order within a pair alternates.

    `clock`: `time.process_time` on a machine that others use; it counts this process's work alone.
    """
    for _ in range(2):
        ours()
        peer()
    rows: list[tuple[float, float]] = []
    for turn in range(repeats):
        if turn % 2:
            b, a = _timed(peer, clock), _timed(ours, clock)
        else:
            a, b = _timed(ours, clock), _timed(peer, clock)
        rows.append((a, b))
    ratios = sorted(b / a for a, b in rows)
    quarter = len(ratios) // 4
    return Pair(
        statistics.median(a for a, _ in rows),
        statistics.median(b for _, b in rows),
        statistics.median(ratios),
        ratios[quarter],
        ratios[-1 - quarter],
    )


def _timed(run: Callable[[], object], clock: Clock) -> float:
    start = clock()
    run()
    return clock() - start


def show(title: str, rows: dict[str, Pair], peer: str) -> None:
    """A table: milliseconds, and how many times as fast as the peer."""
    print(heading(title, peer))
    for name, row in rows.items():
        print(line(name, row))


def heading(title: str, peer: str) -> str:
    """The title and the names of the columns."""
    return f"\n{title}\n{'case':34} {'ours ms':>9} {peer + ' ms':>16} {'ratio':>7}  (quartiles)"


def line(name: str, row: Pair) -> str:
    """One line of the table."""
    times = f"{row.ours * 1e3:9.2f} {row.peer * 1e3:16.2f}"
    return f"{name:34} {times} {row.ratio:7.3f}  ({row.low:.3f} to {row.high:.3f})"
