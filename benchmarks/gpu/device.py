"""The device: what it is, how long a call takes on it, how much memory that needs."""

from __future__ import annotations

import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import torch

CLOCKS = "clocks.sm,clocks.mem,temperature.gpu,power.draw,clocks_throttle_reasons.active"
Run = Callable[[], object]


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def about() -> dict[str, Any]:
    """Name, capability, processors and versions."""
    known: dict[str, Any] = {"python": platform.python_version(), "device": platform.processor() or "cpu"}
    known["versions"] = {
        word: _version(word) for word in ("torch", "triton", "transformers", "diffusers", "numpy")
    }
    if torch.cuda.is_available():
        found = torch.cuda.get_device_properties(0)
        known |= {"device": found.name, "capability": [found.major, found.minor], "bytes": found.total_memory}
        known |= {"processors": found.multi_processor_count, "driver": smi("driver_version")}
        known |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return known


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def smi(fields: str) -> str | None:
    """What nvidia-smi says of the first GPU; None where there is none."""
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader", "--id=0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def milliseconds(run: Run, at: torch.device, rep: int = 60) -> float:
    """The median of about `rep` milliseconds of calls, each with an empty L2 cache; on a CPU, of one call."""
    if at.type == "cuda":
        from triton.testing import do_bench  # lazy: the interpreter has no driver that it asks for

        found: Any = do_bench(run, warmup=max(10, rep // 3), rep=rep, return_mode="median")
        return float(found)
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1e3


def in_rounds(runs: dict[str, Run], at: torch.device, rounds: int, rep: int = 60) -> dict[str, list[float]]:
    """Milliseconds of each in turn, A B C A B C …, so that a drifting clock hits all alike."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        order = list(runs) if turn % 2 == 0 else list(reversed(runs))
        for name in order:
            found[name].append(milliseconds(runs[name], at, rep))
    return found


def median(values: list[float]) -> float:
    return statistics.median(values)


def peak(run: Run, at: torch.device) -> int | None:
    """Bytes of device memory that a call needs beside what was there; None on a CPU."""
    if at.type != "cuda":
        run()
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
