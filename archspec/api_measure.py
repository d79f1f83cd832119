"""The verbs that measure real modules on the present machine. They import torch when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archspec import api
from archspec.analysis.device import Device
from archspec.analysis.device_text import device_text
from archspec.analysis.reached import reached_text, read_reached
from archspec.analysis.roofline import Efficiency
from archspec.api import Named, load, lower
from archspec.atomic import write_text
from archspec.extras import installed
from archspec.reports.account import Account
from archspec.reports.question import Question

if TYPE_CHECKING:
    from archspec.reports.measured import Profile
    from archspec.reports.table import Table
    from archspec.reports.verify import Verified


def verify_cost(spec: Named, question: Question) -> Verified:
    """The predictions for a model on a CPU beside what the real module does there, number by number.

    Parameters, bytes, FLOPs of a forward pass and back, the peak, and what is kept for the backward pass. Of
    a model that does not fit this machine's memory, parameters and FLOPs on the meta device alone. Raises
    ArchspecError A001 to A005 for sizes, X002 where torch is not installed, and what `lower` raises.
    """
    with installed("torch"):
        from archspec.measuring import verify as measuring  # lazy: only measuring needs torch

    loaded = load(spec)
    account = Account(lower(loaded), measuring.on_cpu(question))
    return measuring.verify(account, api.source(loaded, attention=question.attention), asked=question)


def profile(
    spec: Named, question: Question, *, decode: bool = False, train: bool = False, compiled: bool = False,
    repeat: int | None = None, weights: Path | str | None = None, seed: int | None = 0,
    device: Device | None = None,
) -> Profile:  # fmt: skip
    """Time and memory of a model on the present machine, a GPU where there is one, beside estimates.

    Of a forward pass; of a step of decoding behind `question.past` tokens (else all but one of a sequence);
    of a step of training with AdamW. `repeat` runs of each, else 100, or as many as take 10 seconds.
    Estimates are for `device`, else for this machine as `calibrate` finds it. Raises ArchspecError A020 where
    the model does not fit, A021 where it does not decode, X002 where torch is not installed, and what
    `analyze` and `compile` raise.
    """
    with installed("torch"):
        from archspec.measuring import profile as measuring  # lazy: only measuring needs torch

    loaded = load(spec)
    account = Account(lower(loaded), measuring.here(question))
    work = measuring.Work(decode, train, compiled, repeat)
    measuring.check(account, work)
    module = api.compile(loaded, attention=question.attention, weights=weights, seed=seed)
    return measuring.profile(account, module, work, device or calibrate())


def calibrate() -> Device:
    """This machine as a device: peaks by a product of matrices, bandwidth by a copy. Takes some seconds."""
    with installed("torch"):
        from archspec.measuring import calibrate as measuring  # lazy: only measuring needs torch

    return measuring.calibrate()


def device_table(device: Device) -> Table:
    """The figures of a device, for people."""
    from archspec.reports.measured import device_table as table  # lazy: what only saves starts without it

    return table(device)


def save_device(device: Device, path: Path | str) -> None:
    """Writes a device as the YAML file that `device` reads. Raises ArchspecError F001, F002."""
    write_text(Path(path), device_text(device))


def save_reached(reached: Efficiency, path: Path | str) -> None:
    """Writes efficiencies as the JSON file that `load_reached` reads. Raises F001, F002, D004."""
    write_text(Path(path), reached_text(reached))


def load_reached(path: Path | str) -> Efficiency:
    """Efficiencies that were reached, for `Place`. Raises ArchspecError D010, or D004 for what is no band."""
    return read_reached(Path(path))
