"""Whether a run fits the memory of the present machine, asked before it is tried."""

from __future__ import annotations

import os
from pathlib import Path

from archspec import units
from archspec.errors import ArchspecError, Diagnostic
from archspec.reports.account import Account

_MARGIN = 1.25  # what allocators and libraries take beside


def available() -> int | None:
    """Bytes that a new run may take; None where the system does not say."""
    found = [size for size in (_free(), _left_in_group()) if size is not None]
    return min(found, default=None)


def needed(account: Account, *, training: bool) -> int:
    """Bytes that a run of the account's model takes: a module is made in fp32 before it is cast.

    Raises what the account raises.
    """
    p, question = account.parameters, account.question
    weights = p.bytes("float32")
    copies = p.bytes(question.dtype) if question.dtype != "float32" else 0
    most = copies + account.inference.peak
    if training:
        trace = account.training
        gradients = p.bytes(question.policy.dtype)
        most = max(most, trace.peak + trace.activations + trace.weight_copies + 2 * gradients)
    return int(_MARGIN * (weights + most))


def refusal(account: Account, *, training: bool, free: int | None = None) -> str:
    """Why a run does not fit, and what would; empty where it does. `free`: bytes, else this machine's."""
    free = available() if free is None else free
    asked = needed(account, training=training)
    if free is None or asked <= free:
        return ""
    return f"a run takes about {units.size(asked)}, and {units.size(free)} are free here"


def hint(account: Account) -> str:
    """Smaller sizes of the same model."""
    sizes = account.question.sizes
    smaller = " ".join(f"{name}={max(1, size // 4)}" for name, size in sizes.items() if size > 1)
    return (
        "try smaller sizes"
        + (f", such as {smaller}" if smaller else "")
        + ", a smaller preset, or fewer layers with --set"
    )


def refuse_unless_fits(account: Account, *, training: bool) -> None:
    """Raises ArchspecError A020."""
    reason = refusal(account, training=training)
    if reason:
        message = f"{account.graph.name} is too large to run here: {reason}"
        raise ArchspecError(Diagnostic("A020", message, None, hint(account)))


def _free() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return physical()
    return next(
        (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), physical()
    )


def physical() -> int | None:
    """Bytes of memory that the machine has; None where the system does not say."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _left_in_group() -> int | None:
    """What the limits of a container leave."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        return None if limit == "max" else int(limit) - used
    except (OSError, ValueError):
        return None
