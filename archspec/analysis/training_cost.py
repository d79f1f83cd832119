"""What a training run costs, for a budget of tokens: hours, money, energy; always as a range.

FLOPs count 2 per multiply-add. Beside the exact count stands 6ND: 2 forward and 4 backward for each of N
parameters and D tokens (Kaplan et al. 2020, arXiv:2001.08361, section 2.1). The range comes from the MFU that
published runs reached; which share a run reaches is known when it has run.
"""

from __future__ import annotations

from math import sqrt

from msgspec import Struct

from archspec.analysis.device import Device
from archspec.analysis.ranges import Band, Range, at_least, efficiency, positive
from archspec.analysis.roofline import PUBLISHED_MFU

HOUR = 3600.0


class Overhead(Struct, frozen=True):
    """Power usage effectiveness (PUE): watts into a data centre for each watt of its machines."""

    low: float
    high: float
    source: str


# The first is what a large trainer states of its own, the second an average over the industry.
PUBLISHED_PUE = Overhead(
    1.1,
    1.58,
    "Touvron et al. 2023, arXiv:2302.13971, section 6; Uptime Institute Global Data Center Survey 2023",
)


class TrainingRun(Struct, frozen=True):
    """A run in plain numbers. `flops` are those of the model for all tokens, exact, recomputation left out.

    `parameters` are the ones active for a token; `dtype` is that of the matrix products.
    """

    flops: float
    parameters: float
    tokens: float
    devices: int = 1
    dtype: str = "bf16"


class TrainingCost(Struct, frozen=True):
    """The best ends hold at the high end of the MFU band, the low price and the low overhead.

    `dollars` is None where the device states no price, `kilowatt_hours` None where it states no power: the
    devices alone at their thermal design power, times the overhead of the data centre; hosts and network are
    left out.
    """

    flops: float
    six_nd: float
    device_hours: Range
    wall_clock_hours: Range
    dollars: Range | None
    kilowatt_hours: Range | None
    mfu: Band
    overhead: Overhead
    tokens_per_parameter: float


def six_nd(parameters: float, tokens: float) -> float:
    """6ND: training FLOPs without attention, recomputation left out. Raises ArchspecError D004."""
    positive("parameters", parameters)
    positive("tokens", tokens)
    return 6.0 * parameters * tokens


def eight_nd(parameters: float, tokens: float) -> float:
    """8ND: one more forward pass, as under full activation checkpointing.

    Source: Narayanan et al. 2021, arXiv:2104.04473, equation (4). Raises ArchspecError D004.
    """
    return six_nd(parameters, tokens) * 8 / 6


def seconds(flops: float, devices: int, achieved: float) -> float:
    """Wall-clock of FLOPs at an achieved rate in FLOP/s a device. Raises ArchspecError D004."""
    for name, value in (("FLOPs", flops), ("devices", devices), ("achieved FLOP/s", achieved)):
        positive(name, value)
    return flops / (devices * achieved)


def training_cost(
    run: TrainingRun, device: Device, mfu: Band = PUBLISHED_MFU, overhead: Overhead = PUBLISHED_PUE
) -> TrainingCost:
    """What a run costs on so many of a device.

    Raises ArchspecError D003 where the device states no peak for the dtype, D004 for what is no size or no
    band.
    """
    efficiency("MFU", mfu)
    at_least("PUE", 1, overhead.low)
    at_least("the high end of PUE", overhead.low, overhead.high)
    ideal = seconds(run.flops, 1, device.peak(run.dtype)) / HOUR
    positive("devices", run.devices)
    hours = Range(ideal / mfu.high, ideal / mfu.low)
    return TrainingCost(
        run.flops,
        six_nd(run.parameters, run.tokens),
        hours,
        hours.scaled(1 / run.devices),
        hours.times(device.dollars_per_hour()) if device.price else None,
        _energy(hours, device, overhead),
        mfu,
        overhead,
        run.tokens / run.parameters,
    )


def _energy(hours: Range, device: Device, overhead: Overhead) -> Range | None:
    if device.power is None:
        return None
    return hours.scaled(device.watts() / 1000).times(Range(overhead.low, overhead.high))


class ScalingFit(Struct, frozen=True):
    """Loss as E + A / N^α + B / D^β, for N parameters and D tokens (arXiv:2203.15556, equation 10)."""

    e: float
    a: float
    b: float
    alpha: float
    beta: float
    source: str


# Tokens a parameter at the optimum: Hoffmann et al. 2022, arXiv:2203.15556, approaches 1 and 2, table 3.
TOKENS_PER_PARAMETER = 20.0
FITS = {
    "hoffmann": ScalingFit(1.69, 406.4, 410.7, 0.34, 0.28, "arXiv:2203.15556, approach 3, section D.3"),
    "besiroglu": ScalingFit(
        1.8172, 482.01, 2085.43, 0.3478, 0.3658, "arXiv:2404.10102, a replication of approach 3"
    ),
}


class ComputeOptimal(Struct, frozen=True):
    """The parameters and tokens that a budget of FLOPs is best spent on, and who says so."""

    parameters: float
    tokens: float
    source: str


def compute_optimal(flops: float, fit: ScalingFit | None = None) -> ComputeOptimal:
    """Where 6ND = `flops`: at 20 tokens a parameter, or where a fit of the loss is lowest (equation 4).

    This speaks of dense decoders trained once on text, not of what serving them costs. Raises ArchspecError
    D004.
    """
    positive("FLOPs", flops)
    if fit is None:
        parameters = sqrt(flops / (6 * TOKENS_PER_PARAMETER))
        return ComputeOptimal(
            parameters, TOKENS_PER_PARAMETER * parameters, "arXiv:2203.15556, 20 tokens a parameter"
        )
    scale = (fit.alpha * fit.a / (fit.beta * fit.b)) ** (1 / (fit.alpha + fit.beta))
    parameters = scale * (flops / 6) ** (fit.beta / (fit.alpha + fit.beta))
    return ComputeOptimal(parameters, flops / 6 / parameters, fit.source)


def loss(parameters: float, tokens: float, fit: ScalingFit) -> float:
    """The loss that a fit predicts, in nats a token of its data. Raises ArchspecError D004."""
    positive("parameters", parameters)
    positive("tokens", tokens)
    return fit.e + fit.a / parameters**fit.alpha + fit.b / tokens**fit.beta
