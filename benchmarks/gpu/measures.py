"""Jobs about attention: what a worker does for one of them, and what it says of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu import device as dev
from benchmarks.gpu import peers
from benchmarks.gpu.cases import CASES, Case
from benchmarks.gpu.kernels import attend, module_of, row_capability, tiled
from benchmarks.gpu.operands import Operands, gradient, operands
from benchmarks.gpu.reference import errors, pairs, reference

TOLERANCE = {torch.bfloat16: 2e-2, torch.float32: 2e-5}
OURS = "triton"
FORWARD = ("forward", "decode")
Job = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker measures: the prepared folder, the device, and whether it is only a rehearsal."""

    folder: Path
    device: torch.device
    dry: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """bfloat16, which the interpreter multiplies wrongly."""
        return torch.float32 if self.dry else torch.bfloat16

    def case(self, job: Job) -> Case:
        case = CASES[job["case"]]
        return case.tiny() if self.dry else case


def ours(place: Place, case: Case) -> Callable[[Operands], Tensor]:
    return partial(attend, module_of(place.folder, case), case)


def right(job: Job, place: Place) -> Job:
    """Whether a kernel with the job's tiles is right, at a ragged length: the errors of what it writes."""
    case = CASES[job["case"]]
    case = case.tiny() if place.dry else case.ragged()
    x, grad, true = _truth(case, place.device, place.dtype)
    with _with_tiles(job, place, case), poisoned():
        found = _results(ours(place, case), x, None if _ahead(job, case) else grad)
    wrong = errors(found, true)
    return {"errors": wrong, "right": max(wrong.values()) <= TOLERANCE[place.dtype]}


def _ahead(job: Job, case: Case) -> bool:
    """Whether only the result is asked for."""
    return case.decodes or job.get("kernel") in FORWARD


@lru_cache(maxsize=2)
def _truth(
    case: Case, device: torch.device, dtype: torch.dtype
) -> tuple[Operands, Tensor, dict[str, Tensor]]:
    x, grad = operands(case, device, dtype), gradient(case, device, dtype)
    return x, grad, reference(case, x, None if case.decodes else grad)


def _results(call: Callable[[Operands], Tensor], x: Operands, grad: Tensor | None) -> dict[str, Tensor]:
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


def _with_tiles(job: Job, place: Place, case: Case) -> Any:
    chosen = job.get("tiles", {})
    return tiled(module_of(place.folder, case), chosen, max(case.E, case.W), row_capability(place.device))


def tuned(job: Job, place: Place) -> Job:
    """Milliseconds of the direction that the job's kernel is of, with its tiles and others as they are."""
    case = place.case(job)
    x = operands(case, place.device, place.dtype)
    with _with_tiles(job, place, case):
        run = _runs(ours(place, case), x, case)["forward" if _ahead(job, case) else "backward"]
        return {"ms": dev.milliseconds(run, place.device, rep=40)}


def _runs(call: Callable[[Operands], Tensor], x: Operands, case: Case) -> dict[str, dev.Run]:
    """Forward, and backward of one forward. Forward runs as in training, but for decoding."""
    if case.decodes:
        return {"forward": torch.no_grad()(lambda: call(x))}
    leaves = x.as_leaves()
    out = call(leaves)
    grad, floats = gradient(case, x.q.device, x.q.dtype), [*leaves.floats.values()]
    back = partial(torch.autograd.grad, out, floats, grad, retain_graph=True)
    return {"forward": lambda: call(leaves), "backward": back}


def warmed(job: Job, place: Place) -> Job:
    """A peer's first run: seconds until it was compiled, and how far it is from us at this size."""
    case = place.case(job)
    x = operands(case, place.device, place.dtype)
    began = time.perf_counter()
    for run in _runs(peers.peer(job["peer"], case, x, place.dry), x, case).values():
        run()
    if place.device.type == "cuda":
        torch.cuda.synchronize()
    return {"seconds": time.perf_counter() - began}


def raced(job: Job, place: Place) -> Job:
    """Every way in turn: milliseconds of each round, bytes at the peak, pairs; what a way cannot do is said."""
    case = place.case(job)
    x = operands(case, place.device, place.dtype)
    said: Job = {"pairs": pairs(case, x), "ms": {}, "bytes": {}, "errors": {}, "far": {}}
    with _with_tiles(job, place, case):
        runs = _entrants(job["peers"], case, x, place, said)
        for direction in ("forward", "backward"):
            racing = {name: run[direction] for name, run in runs.items() if direction in run}
            if racing:
                said["ms"][direction] = dev.in_rounds(racing, place.device, 1 if place.dry else 5, job.get("rep", 40))
    return said


def _entrants(names: list[str], case: Case, x: Operands, place: Place, said: Job) -> dict[str, dict[str, dev.Run]]:
    """Those that run: what they hold in memory, and how far they are from ours."""
    runs: dict[str, dict[str, dev.Run]] = {}
    result: Tensor | None = None
    for name in (OURS, *names):
        with Told(said["errors"], name):
            call = ours(place, case) if name == OURS else peers.peer(name, case, x, place.dry)
            said["bytes"][name] = dev.peak(lambda call=call: _train(call, x, case), place.device)
            found = _results(call, x, None)["out"]
            result = found if name == OURS else result
            if result is not None and name not in peers.CAUSAL:
                said["far"][name] = errors({"out": found}, {"out": result.double()})["out"]
            runs[name] = _runs(call, x, case)
    return runs


def _train(call: Callable[[Operands], Tensor], x: Operands, case: Case) -> None:
    for run in _runs(call, x, case).values():
        run()


class Told:
    """A block whose failure is written down under a name, and goes no further."""

    def __init__(self, into: Job, name: str) -> None:
        self.into, self.name = into, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        self.into[self.name] = f"{kind.__name__}: {error}"[:600]
        return True
