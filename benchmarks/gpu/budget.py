"""Seconds, shared out among phases: one that ends early leaves its rest to those after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

SHARES = {"correct": 0.28, "tune": 0.18, "warm": 0.12, "bench": 0.28, "models": 0.14}
PHASES = tuple(SHARES)


@dataclass(frozen=True, slots=True)
class Budget:
    """`seconds` from `began` on, for those `phases` that run."""

    seconds: float
    began: float
    phases: tuple[str, ...] = PHASES
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, seconds: float, phases: tuple[str, ...] = PHASES) -> Budget:
        return cls(seconds, time.monotonic(), phases)

    def end(self, phase: str) -> float:
        """When a phase has to end, on the clock."""
        whole = sum(SHARES[x] for x in self.phases)
        until = self.phases[: self.phases.index(phase) + 1]
        return self.began + self.seconds * sum(SHARES[x] for x in until) / whole

    def left(self, phase: str) -> float:
        return self.end(phase) - self.clock()
