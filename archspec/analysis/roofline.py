"""How long an operation takes on a device: the roofline, and times at efficiencies that were measured.

Roofline (Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785): an operation takes at least its
FLOPs at the dense peak of its dtype, and at least its bytes at the memory bandwidth; it is bound by the
longer of the two. FLOPs count 2 per multiply-add. Real kernels reach a share of either: MFU of the peak where
they are bound by compute (Chowdhery et al. 2022, arXiv:2204.02311, appendix B), MBU of the bandwidth where
they are bound by memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from archspec.analysis.device import Device
from archspec.analysis.ranges import Band, Range, at_least, efficiency

# 6ND over published GPU-hours at the dense bf16 peak: 25.5 to 51.4 % in 12 runs. Two more, of models with 8B
# parameters, lie at 14 and 16 %: their hours hold more than the pre-training.
PUBLISHED_MFU = Band(
    0.25, 0.515, "implied by 6ND and the published GPU-hours of pre-training runs, 2023 to 2024"
)
# Weights read a token, at the published tokens a second of batch 1 on one A100 80 GB: 0.50 (int8) to 0.69
# (bf16).
PUBLISHED_MBU = Band(
    0.50, 0.69, "implied by gpt-fast's decode benchmarks on an A100 80 GB, README at 32971d3"
)
# One constant for bf16 decoding, from the same source: within 2 % of both models that fit one device.
DECODE_MBU = 0.69


class Load(Struct, frozen=True):
    """What one operation does: FLOPs (2 per multiply-add) in a dtype, and bytes to and from device memory."""

    flops: float
    bytes: float
    dtype: str
    name: str = ""

    @property
    def intensity(self) -> float | None:
        """Arithmetic intensity in FLOP/byte; None where no byte moves."""
        return self.flops / self.bytes if self.bytes else None


class Efficiency(Struct, frozen=True):
    """Shares of the compute peak and of the memory bandwidth that are reached, each between two ends."""

    mfu: Band = PUBLISHED_MFU
    mbu: Band = PUBLISHED_MBU


class Timing(Struct, frozen=True):
    """Ideal seconds of operations one after the other: by compute alone and by memory alone.

    `seconds` is the sum of the longer of the two of every operation. `floor_seconds` is the longer of the two
    sums, which it would be if operations overlapped: no schedule is faster.
    """

    compute_seconds: float
    memory_seconds: float
    seconds: float

    @property
    def floor_seconds(self) -> float:
        return max(self.compute_seconds, self.memory_seconds)

    @property
    def bound(self) -> str:
        """`compute` or `memory`: which takes longer."""
        return "compute" if self.compute_seconds >= self.memory_seconds else "memory"


def ridge(device: Device, dtype: str) -> float:
    """Arithmetic intensity, in FLOP/byte, from which on a device is bound by compute. Raises D003."""
    return device.peak(dtype) / device.bandwidth()


def timing(load: Load, device: Device) -> Timing:
    """Ideal time of one operation.

    Raises ArchspecError D003 where the device states no peak for the dtype or no bandwidth, D004 for sizes
    that are no sizes. What computes nothing needs no peak; what moves nothing needs no bandwidth.
    """
    compute, memory = _seconds(load, device, 1.0, 1.0)
    return Timing(compute, memory, max(compute, memory))


def total(loads: Iterable[Load], device: Device) -> Timing:
    """Ideal time of operations that run one after the other. Raises as `timing` does."""
    each = [timing(load, device) for load in loads]
    compute, memory = sum(t.compute_seconds for t in each), sum(t.memory_seconds for t in each)
    return Timing(compute, memory, sum(t.seconds for t in each))


def time_range(loads: Iterable[Load], device: Device, reached: Efficiency | None = None) -> Range:
    """Seconds of operations one after the other; the best end is at the higher efficiencies.

    Raises as `timing` does, and D004 where a band is none.
    """
    reached = reached or Efficiency()
    efficiency("MFU", reached.mfu)
    efficiency("MBU", reached.mbu)
    each = list(loads)
    return Range(
        sum(max(_seconds(load, device, reached.mfu.high, reached.mbu.high)) for load in each),
        sum(max(_seconds(load, device, reached.mfu.low, reached.mbu.low)) for load in each),
    )


def _seconds(load: Load, device: Device, mfu: float, mbu: float) -> tuple[float, float]:
    at_least("FLOPs", 0, load.flops)
    at_least("bytes", 0, load.bytes)
    compute = load.flops / (device.peak(load.dtype) * mfu) if load.flops else 0.0
    return compute, load.bytes / (device.bandwidth() * mbu) if load.bytes else 0.0
