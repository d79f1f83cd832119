"""How long a call takes on the device it runs on, and the most memory it takes there."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Plan:
    """`warm_up` runs that do not count, then `repeat` that do; without, `most` runs or `budget` seconds."""

    warm_up: int = 3
    repeat: int | None = None
    most: int = 100
    least: int = 5
    budget: float = 10.0


def device() -> torch.device:
    """What runs are measured on: a CUDA device where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seconds(
    call: Callable[[], object], place: torch.device, plan: Plan, before: Callable[[], None]
) -> list[float]:
    """The time of each counted run; `before` each run, outside of its time, something may be set back."""
    started = perf_counter()
    for done in range(plan.warm_up):
        before()
        _once(call, place)
        if done and perf_counter() - started > plan.budget / 2:
            break
    found, started = list[float](), perf_counter()
    while not _enough(found, perf_counter() - started, plan):
        before()
        found.append(_once(call, place))
    return found


def _enough(found: list[float], spent: float, plan: Plan) -> bool:
    if plan.repeat is not None:
        return len(found) >= plan.repeat
    return len(found) >= plan.most or (len(found) >= plan.least and spent > plan.budget)


def _once(call: Callable[[], object], place: torch.device) -> float:
    """On a GPU by its own clock: events before and behind."""
    if place.type != "cuda":
        started = perf_counter()
        call()
        return perf_counter() - started
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize(place)
    start.record()
    call()
    end.record()
    torch.cuda.synchronize(place)
    return start.elapsed_time(end) / 1000


def most_memory(call: Callable[[], object], place: torch.device) -> int | None:
    """The most bytes above those taken before: of torch's allocator on a GPU, resident ones on a CPU.

    None where the system does not say. Meant for a first run: allocators keep what they once had.
    """
    if place.type == "cuda":
        torch.cuda.synchronize(place)
        torch.cuda.reset_peak_memory_stats(place)
        before = torch.cuda.memory_allocated(place)
        call()
        torch.cuda.synchronize(place)
        return torch.cuda.max_memory_allocated(place) - before
    with suppress(
        OSError
    ):  # not every kernel lets the mark be set back; then it is that of the whole process
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status("VmRSS:")
    call()
    highest = _status("VmHWM:") or _highest()
    return None if before is None else max(0, highest - before)


def _status(key: str) -> int | None:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key)), None)


def _highest() -> int:
    """Kilobytes on Linux, bytes on macOS."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
