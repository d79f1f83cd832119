"""The present machine as a device: its peaks as they were measured."""

from __future__ import annotations

from archspec.analysis.device import Device, Figure, Reference
from archspec.measuring import peaks
from archspec.measuring.memory import physical


def calibrate(budget: float = 1.0) -> Device:
    """Peak FLOP/s by dtype and memory bandwidth, each the best of about `budget` seconds of runs."""
    source = Reference(peaks.method(), "archspec profile --calibrate", peaks.today())
    rates = peaks.flops_per_second(budget)
    room = peaks.memory() or physical()
    return Device(
        "this-machine",
        peaks.title(),
        {name: Figure(rate, source, "the best square product of matrices") for name, rate in rates.items()},
        memory=Figure(room, source, "as the system says") if room else None,
        memory_bandwidth=Figure(peaks.bytes_per_second(budget), source, "a copy, bytes read and written"),
    )
