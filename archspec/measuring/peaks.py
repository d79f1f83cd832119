"""What this machine reaches at best: a product of matrices for FLOP/s, a copy for bytes/s."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import torch

from archspec.measuring.timing import Plan, device, seconds

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_LONG_ENOUGH, _LARGEST = 0.03, 16384
_COPIED = 256 << 20  # bytes, more than caches hold


def flops_per_second(budget: float = 1.0) -> dict[str, float]:
    """The best rate of square products by dtype, 2 FLOPs per multiply-add; fp16 only on a GPU."""
    place = device()
    names = [name for name in DTYPES if place.type == "cuda" or name != "fp16"]
    return {name: _product(DTYPES[name], place, budget) for name in names}


def _product(dtype: torch.dtype, place: torch.device, budget: float) -> float:
    best = 0.0
    for size in _sizes():
        a = torch.ones(size, size, dtype=dtype, device=place)
        out = torch.empty_like(a)
        found = _fastest(lambda a=a, out=out: torch.mm(a, a, out=out), place, budget)
        best = max(best, 2 * size**3 / found)
        if found > _LONG_ENOUGH:
            break
    return best


def _sizes() -> Iterator[int]:
    size = 512
    while size <= _LARGEST:
        yield size
        size *= 2


def bytes_per_second(budget: float = 1.0) -> float:
    """The best rate of a copy between buffers larger than caches, which are read and written."""
    place = device()
    a = torch.ones(_COPIED, dtype=torch.uint8, device=place)
    out = torch.empty_like(a)
    return 2 * _COPIED / _fastest(lambda: out.copy_(a), place, budget)


def _fastest(call: Callable[[], object], place: torch.device, budget: float) -> float:
    plan = Plan(warm_up=2, most=50, least=3, budget=budget)
    return min(seconds(call, place, plan, lambda: None))


def title() -> str:
    """The processor or the GPU, with the threads that torch uses."""
    if device().type == "cuda":
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {torch.get_num_threads()} thread(s)"


def method() -> str:
    """What was run, for the source of the figures."""
    return f"archspec profile --calibrate: products of matrices and a copy, torch {torch.__version__}"


def memory() -> int | None:
    """Bytes of the GPU; None for a CPU, whose memory is the system's."""
    place = device()
    return torch.cuda.mem_get_info(place)[1] if place.type == "cuda" else None


def today() -> str:
    return datetime.now(UTC).date().isoformat()
