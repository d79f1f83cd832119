"""How long a call takes on the device it runs on, and the most memory it takes there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch

from archspec.measuring import resident


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
    resident.set_mark_back()
    before = resident.now()
    call()
    return None if before is None else max(0, resident.highest() - before)
