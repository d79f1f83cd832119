"""What is aimed at on an H200 (bf16, pairs that count): TFLOP/s, parts of bandwidth, ratios to other ways.

Yardsticks: cuDNN 9.19.1 on an H200 (64 heads, 8 of keys): d128 causal 673 forward and 579 backward at 16k,
full 702 and 612; window 1,024 d64 349 and 300 at 8k. github.com/NVIDIA/cudnn-frontend,
benchmark/sdpa_benchmark_training/results/h200_919_only_cudnn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.gpu.results import Raced

COPY = 4.3e12  # bytes a second, read and written, of a copy through PyTorch on an H200, measured 2026-10


@dataclass(frozen=True, slots=True)
class Goal:
    """`against`: other ways, the fastest of which counts (none: TFLOP/s, or the part of the bandwidth)."""

    case: str
    direction: str
    must: float
    stretch: float | None = None
    against: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        if self.against:
            return f"times {' or '.join(self.against)}"
        return "of the bandwidth of a copy" if self.case.startswith("decode") else "TFLOP/s"

    def reached(self, raced: Raced) -> float | None:
        if self.against:
            return ratio(raced, self.direction, self.against)
        if self.case.startswith("decode"):
            return _part(raced.bytes_a_second(), COPY)
        return _part(raced.flops_a_second("triton", self.direction), 1e12)


def _part(value: float | None, of: float) -> float | None:
    return None if value is None else value / of


def ratio(raced: Raced, direction: str, against: Iterable[str]) -> float | None:
    """How many times as fast as the fastest of these; None where one side is missing."""
    ours, theirs = raced.ms("triton", direction), [raced.ms(x, direction) for x in against]
    known = [x for x in theirs if x is not None]
    return min(known) / ours if ours and known else None


FLEX = ("flex", "flex tma")
FORWARD, BACKWARD = "forward", "backward"
GOALS = (
    Goal("full d128 16k", FORWARD, 470, 560),
    Goal("causal d128 16k", FORWARD, 430, 530),
    Goal("full d64 16k", FORWARD, 390, 440),
    Goal("causal d64 16k", FORWARD, 360, 400),
    Goal("causal d128 16k", BACKWARD, 300, 370),
    Goal("causal d128 16k", FORWARD, 1.2, 1.5, ("sdpa flash",)),
    Goal("full d128 16k", FORWARD, 1.2, 1.5, ("sdpa flash",)),
    Goal("causal d128 16k", FORWARD, 0.65, 0.8, ("sdpa cudnn",)),
    Goal("T5 distances d64", BACKWARD, 2.0, 4.0, FLEX),
    Goal("window 4k of 32k d128", FORWARD, 5.0, None, ("causal flash",)),
    Goal("window 4k of 32k d128", FORWARD, 2.7, 3.2, ("causal cudnn",)),
    Goal("window 1k sinks d64", FORWARD, 0.9 * 349, 1.05 * 349),  # cuDNN 9.19.1 at this shape, on an H200
    Goal("window 1k sinks d64", BACKWARD, 0.9 * 300, 1.05 * 300),
    Goal("decode d128 32k", FORWARD, 0.75, 0.85),
    Goal("decode d128 32k", FORWARD, 1.2, None, FLEX),
)


MODELS = {"GPT-2": "sdpa", "Llama 1B": "sdpa", "SD U-Net": "sdpa", "Longformer": "transformers eager"}
"""A step of training with `triton` is at least as fast as with these."""


def beside_flex(all_raced: Iterable[Raced], direction: str) -> dict[str, float]:
    """Each case's ratio to the better FlexAttention: at least 1.0 everywhere, in the geometric mean 1.15."""
    found = {raced.case.name: ratio(raced, direction, FLEX) for raced in all_raced}
    return {name: value for name, value in found.items() if value is not None}


def mean(values: Iterable[float]) -> float | None:
    """Geometric."""
    known = list(values)
    return math.exp(sum(map(math.log, known)) / len(known)) if known else None
