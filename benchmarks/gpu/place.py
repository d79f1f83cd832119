"""Where a worker measures, and what it does with failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu import device as dev
from benchmarks.gpu.cases import CASES, Case
from benchmarks.gpu.kernels import Row, attend, module_of, row_capability, tiled
from benchmarks.gpu.operands import Operands, gradient

OURS = "triton"
Call = Callable[[Operands], Tensor]
Job = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """The prepared folder, the device, and whether this is only a rehearsal (the interpreter, tiny sizes)."""

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

    def ours(self, case: Case) -> Call:
        return partial(attend, module_of(self.folder, case), case)

    def tiled(self, job: Job, case: Case) -> Any:
        """With the job's rows in the case's table."""
        return tiled([module_of(self.folder, case)], rows_of(job), row_capability(self.device))


def rows_of(job: Job) -> Iterable[Row]:
    return [(kernel, width, tuple(tiles)) for kernel, width, tiles in job.get("rows", [])]


@dataclass(frozen=True, slots=True)
class Runs:
    """A way that was called once: its result, and what to call to have it again."""

    out: Tensor
    forward: dev.Run
    backward: dev.Run | None

    @classmethod
    def of(cls, call: Call, x: Operands, case: Case, grad: Tensor | None = None) -> Runs:
        """Forward is run as in training, backward behind one forward; a decoding case has no backward."""
        if case.decodes:
            run = torch.no_grad()(lambda: call(x))
            return cls(run(), run, None)
        leaves = x.as_leaves()
        out = call(leaves)
        given = gradient(case, x.q.device, x.q.dtype) if grad is None else grad
        back = partial(torch.autograd.grad, out, [*leaves.floats.values()], given, retain_graph=True)
        return cls(out.detach(), lambda: call(leaves), back)

    def directions(self) -> dict[str, dev.Run]:
        return {"forward": self.forward} | ({"backward": self.backward} if self.backward else {})


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
