"""What a run found, read from its items: times, FLOPs and bytes a second. Nothing here needs torch."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.gpu.cases import CASES, Case
from benchmarks.gpu.record import Item

TIMES = {"forward": 1.0, "backward": 2.5}  # products of matrices: 2, and 5 with the scores computed again


@dataclass(frozen=True, slots=True)
class Raced:
    """All ways of a case. `ms`: the median of their rounds; None where a way did not run."""

    case: Case
    found: Item

    @classmethod
    def all(cls, items: Iterable[Item]) -> list[Raced]:
        raced = [item for item in items if item["phase"] == "bench" and "found" in item]
        return [cls(CASES[item["case"]], item["found"]) for item in raced if item["case"] in CASES]

    def ways(self, direction: str = "forward") -> list[str]:
        return [*self.found["ms"].get(direction, {})]

    def ms(self, way: str, direction: str) -> float | None:
        rounds = self.found["ms"].get(direction, {}).get(way)
        return statistics.median(rounds) if rounds else None

    def flops_a_second(self, way: str, direction: str) -> float | None:
        """Of pairs that count, 2 for each multiply-add, and 2.5 times as many backward."""
        ms = self.ms(way, direction)
        flops = 2 * self.found["pairs"] * (self.case.E + self.case.W) * TIMES[direction]
        return None if ms is None else flops / ms * 1e3

    def bytes_a_second(self, way: str = "triton") -> float | None:
        """Of keys and values that are read while decoding, in bf16."""
        ms, case = self.ms(way, "forward"), self.case
        read = self.found["pairs"] / case.H * case.G / case.Q * (case.E + case.W) * 2
        return None if ms is None else read / ms * 1e3

    def megabytes(self, way: str) -> float | None:
        """At the peak of forward and backward, beside operands."""
        known = self.found["bytes"].get(way)
        return None if known is None else known / 1e6
