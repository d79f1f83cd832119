"""One run: what is alive, what was computed, and under which rules."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.dtypes import DType


@dataclass(slots=True)
class Kernel:
    """One operation that ran: bytes read and written, FLOPs of products (2 per multiply-add)."""

    name: str
    place: str
    flops: int
    read: int
    written: int
    dtype: str


@dataclass(slots=True)
class Run:
    """The state of a run on a `device`, cpu or cuda, and what it came to.

    `live` and `peak` count bytes of storages that the run made: those of parameters, buffers and inputs are
    apart. `autocast` is the dtype of products, if they are cast. `place` is the path of the running module.
    `picked`: a number that only data gives, such as the tokens of a row that look everywhere. `assumed`:
    whether it was asked for, or an even spread of what experts get. Of `every` so many layers one keeps its
    inputs alone. `flops` so far, and `needed` up to the last tensor that was saved.
    """

    device: str = "cpu"
    default: DType = dtypes.float32
    autocast: DType | None = None
    grad: bool = False
    counting: bool = False
    live: int = 0
    peak: int = 0
    peak_at: str = ""
    place: str = ""
    kernels: list[Kernel] = field(default_factory=list[Kernel])
    every: int = 0
    flops: int = 0
    needed: int = 0
    picked: int = 1
    assumed: bool = False

    def took(self, size: int, by: str) -> None:
        """A storage appears."""
        self.live += size
        if self.live > self.peak:
            self.peak, self.peak_at = self.live, f"{self.place or 'model'}: {by}"


_CURRENT: ContextVar[Run] = ContextVar("run")
current = _CURRENT.get


@contextmanager
def running(run: Run) -> Generator[Run]:
    """Everything inside belongs to `run`."""
    token = _CURRENT.set(run)
    try:
        yield run
    finally:
        _CURRENT.reset(token)


@contextmanager
def gradients(on: bool) -> Generator[None]:
    """`torch.no_grad` and `torch.enable_grad`."""
    run = current()
    before, run.grad = run.grad, on
    try:
        yield
    finally:
        run.grad = before


@contextmanager
def uncast() -> Generator[None]:
    """What autocast has cast once is not cast again inside."""
    run = current()
    before, run.autocast = run.autocast, None
    try:
        yield
    finally:
        run.autocast = before
