"""Measured times of one workload, as percentiles."""

from __future__ import annotations

from math import ceil

from msgspec import Struct

from archspec.analysis.ranges import positive

STABLE = 100  # from so many runs on, the 99th percentile is not the slowest run


class Latency(Struct, frozen=True):
    """Seconds of runs of the same work, in order. Percentiles are by nearest rank: times of runs."""

    seconds: tuple[float, ...]

    @classmethod
    def of(cls, seconds: list[float]) -> Latency:
        """Raises ArchspecError D004 where there is no run, or a time is none."""
        positive("the number of runs", len(seconds))
        for one in seconds:
            positive("a time", one)
        return cls(tuple(sorted(seconds)))

    def at(self, share: float) -> float:
        """The time that this share of the runs took at most."""
        return self.seconds[max(1, ceil(share * len(self.seconds))) - 1]

    @property
    def p50(self) -> float:
        return self.at(0.5)

    @property
    def runs(self) -> int:
        return len(self.seconds)

    def note(self) -> str:
        """What the 99th percentile of so few runs is; empty where it is one."""
        return "" if self.runs >= STABLE else f"of {self.runs} runs: the slowest"
