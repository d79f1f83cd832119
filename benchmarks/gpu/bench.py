"""The third and fourth phase: every other way is compiled once, by many processes, then all run in turn."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu import device as dev
from benchmarks.gpu import peers
from benchmarks.gpu.cases import Case
from benchmarks.gpu.kernels import Row
from benchmarks.gpu.operands import Operands, gradient, operands
from benchmarks.gpu.place import OURS, Call, Job, Place, Runs, Told
from benchmarks.gpu.reference import errors, pairs

ROUNDS = 3


def warming(cases: Iterable[Case]) -> list[Job]:
    """What compiles for long."""
    return [
        {"case": case.name, "peer": name}
        for case in cases
        for name in peers.names(case)
        if name in peers.FLEX
    ]


def jobs(cases: Iterable[Case], rows: Iterable[Row]) -> list[Job]:
    known = [list(row) for row in rows]
    return [{"case": case.name, "peers": peers.names(case), "rows": known} for case in cases]


def warmed(job: Job, place: Place) -> Job:
    """Seconds until a way was compiled, forward and backward, at the size that is timed."""
    case = place.case(job)
    x = operands(case, place.device, place.dtype)
    began = time.perf_counter()
    first(peers.peer(job["peer"], case, x, place.dry), x, case, gradient(case, place.device, place.dtype))
    if place.device.type == "cuda":
        torch.cuda.synchronize()
    return {"seconds": time.perf_counter() - began}


def first(call: Call, x: Operands, case: Case, grad: Tensor) -> Runs:
    """A way's first forward and backward."""
    runs = Runs.of(call, x, case, grad)
    if runs.backward:
        runs.backward()
    return runs


def raced(job: Job, place: Place) -> Job:
    """Milliseconds of each round of every way, bytes at its peak, its distance from ours, pairs that count.

    What a way cannot do is said under its name.
    """
    case = place.case(job)
    x, grad = operands(case, place.device, place.dtype), gradient(case, place.device, place.dtype)
    said: Job = {"pairs": pairs(case, x), "ms": {}, "bytes": {}, "errors": {}, "far": {}}
    with place.tiled(job, case):
        runs = entrants(job["peers"], case, x, grad, place, said)
        for direction in ("forward", "backward"):
            racing = {name: run[direction] for name, run in runs.items() if direction in run}
            if racing:
                said["ms"][direction] = dev.in_rounds(
                    racing, place.device, 1 if place.dry else ROUNDS, rep=40
                )
    return said


def entrants(
    names: Iterable[str], case: Case, x: Operands, grad: Tensor, place: Place, said: Job
) -> dict[str, dict[str, dev.Run]]:
    """Those that run."""
    found: dict[str, dict[str, dev.Run]] = {}
    results: dict[str, Tensor] = {}
    for name in (OURS, *names):
        with Told(said["errors"], name):
            call = place.ours(case) if name == OURS else peers.peer(name, case, x, place.dry)
            made: list[Any] = []
            said["bytes"][name] = dev.peak(
                lambda call=call, made=made: made.append(first(call, x, case, grad)), place.device
            )
            found[name], results[name] = made[0].directions(), made[0].out
    for name in set(results) - {OURS, *peers.CAUSAL}:
        if OURS in results:
            said["far"][name] = errors({"out": results[OURS]}, {"out": results[name].double()})["out"]
    return found
