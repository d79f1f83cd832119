"""The first phase: each case, each kernel, each candidate for its tiles. What fails is not tuned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.candidates import candidates
from benchmarks.gpu.cases import CASES, Case
from benchmarks.gpu.kernels import row_width
from benchmarks.gpu.operands import Operands, gradient, operands
from benchmarks.gpu.place import Call, Job, Place
from benchmarks.gpu.reference import errors, reference

TOLERANCE = {torch.bfloat16: 2e-2, torch.float32: 2e-5}
FORWARD = ("forward", "decode")


def jobs(prepared: dict[str, Any], cases: Iterable[Case], capability: int) -> list[Job]:
    """The table's own tiles of all cases first, then every candidate. Cases of different lengths are one."""
    cases = list({(x.structure, x.H, x.G, x.E, x.W, x.decodes): x for x in reversed([*cases])}.values())[::-1]
    first = [{"case": case.name} for case in cases]
    then = [
        {
            "case": case.name,
            "kernel": kernel,
            "rows": [[kernel, row_width(_widest(case, capability)), [*tiles]]],
        }
        for case in cases
        for kernel in used(prepared["cases"][case.name]["kernels"], case)
        for tiles in candidates(kernel, capability, max(case.E, case.W))
    ]
    return first + then


def _widest(case: Case, capability: int) -> int:
    case = case if capability else case.tiny()
    return max(case.E, case.W)


def used(kernels: Iterable[str], case: Case) -> list[str]:
    """Those kernels of a file that run for a case."""
    learns = any(t.drawn == "normal" for t in case.tables.values())
    if case.decodes:
        return ["decode"]
    return [x for x in kernels if x != "decode" and (x != "backward_score" or learns)]


def right(job: Job, place: Place) -> Job:
    """Whether kernels are right with the job's tiles, at a ragged length: errors of all that they write."""
    case, x, grad, true = _truth(job["case"], place)
    with place.tiled(job, case), poisoned():
        found = results(place.ours(case), x, None if ahead(job, case) else grad)
    wrong = errors(found, true)
    return {"errors": wrong, "right": max(wrong.values()) <= TOLERANCE[place.dtype]}


def ahead(job: Job, case: Case) -> bool:
    """Whether only the result is asked for."""
    return case.decodes or job.get("kernel") in FORWARD


@lru_cache(maxsize=2)
def _truth(name: str, place: Place) -> tuple[Case, Operands, Tensor, dict[str, Tensor]]:
    case = CASES[name].tiny() if place.dry else CASES[name].ragged()
    x, grad = operands(case, place.device, place.dtype), gradient(case, place.device, place.dtype)
    return case, x, grad, reference(case, x, None if case.decodes else grad)


def results(call: Call, x: Operands, grad: Tensor | None) -> dict[str, Tensor]:
    """What a call returns, and with `grad` the gradient of every operand of floats."""
    x = x.as_leaves()
    if grad is None:
        with torch.no_grad():
            return {"out": call(x)}
    out = call(x)
    found = torch.autograd.grad(out, [*x.floats.values()], grad)
    return {"out": out.detach(), **dict(zip(x.floats, found, strict=True))}


@contextmanager
def poisoned() -> Iterator[None]:
    """Memory that is not written is NaN: torch fills it in its deterministic mode."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
