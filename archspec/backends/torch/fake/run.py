"""One run: what is alive, what was computed, and under which rules."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.dtypes import DType

if TYPE_CHECKING:  # a storage knows its run
    from archspec.backends.torch.fake.storage import Storage
    from archspec.backends.torch.fake.stretch import Stretch
    from archspec.backends.torch.fake.tensor import Tensor


class Kernel(Struct, frozen=True, gc=False):
    """One operation that ran: bytes read and written, FLOPs of products (2 per multiply-add)."""

    name: str
    place: str
    flops: int
    read: int
    written: int
    dtype: str


class Alive(Struct, frozen=True, gc=False):
    """Bytes that are alive, the module and the operation that made them."""

    nbytes: int
    place: str
    operation: str


@dataclass(slots=True)
class Run:
    """The state of a run on a `device`, cpu or cuda, and what it came to.

    `live` and `peak` count bytes of storages that the run made: those of parameters, buffers and inputs are
    apart. `training`: whether dropout drops. `autocast` is the dtype of products, if they are cast, and
    `copies` the parameters that were. `place` is the path of the running module. `picked`: a number that only
    data gives, such as the tokens of a row that look everywhere. `assumed`: whether it was asked for, or an
    even spread of what experts get. Of `every` so many layers one keeps its inputs alone. `flops` so far, and
    `needed` up to the last tensor that was saved. `nodes`: how many operations have gradients. `packed`: how
    many tensors were saved; at `enough` of them a checkpoint that runs again stops, and no more is counted.
    `alive`: what is, if that is asked for; `composed`: what was when `live` first came to `top`. `alike`:
    what calls of layers did, by what tells them apart, if they may be done again without running them (None
    for a call that cannot); `kinds` of modules.
    """

    device: str = "cpu"
    autocast: DType | None = None
    every: int = 0
    training: bool = False
    picked: int = 1
    default: DType = dtypes.float32
    grad: bool = False
    counting: bool = False
    live: int = 0
    peak: int = 0
    peak_by: tuple[str, str] = ("", "")
    place: str = ""
    kernels: list[Kernel] = field(default_factory=list[Kernel])
    flops: int = 0
    needed: int = 0
    nodes: int = 0
    packed: int = 0
    enough: int | None = None
    assumed: bool = False
    copies: dict[Storage, Tensor] = field(default_factory=dict["Storage", "Tensor"])
    top: int = 0
    alive: dict[int, Alive] | None = None
    composed: tuple[Alive, ...] = ()
    alike: dict[Any, Stretch | None] | None = None
    kinds: dict[Any, int] = field(default_factory=dict[Any, int])

    def took(self, size: int, by: str) -> None:
        """A storage appears."""
        self.live += size
        if self.live > self.peak:
            self.peak, self.peak_by = self.live, (self.place, by)

    def watch(self, key: int, size: int, by: str) -> None:
        """It is remembered, and at the peak so is all that is alive."""
        assert self.alive is not None
        self.alive[key] = Alive(size, self.place, by)
        if self.live == self.top and not self.composed:
            self.composed = tuple(self.alive.values())

    @property
    def peak_at(self) -> str:
        """The operation at the peak, after the path of its module."""
        place, by = self.peak_by
        return f"{place or 'model'}: {by}"


_CURRENT: ContextVar[Run] = ContextVar("run")
current = _CURRENT.get


@contextmanager
def running(run: Run) -> Generator[Run]:
    """Everything inside belongs to `run`. Nothing in it refers to itself, so nobody has to look for that."""
    token, collected = _CURRENT.set(run), gc.isenabled()
    gc.disable()
    try:
        yield run
    finally:
        _CURRENT.reset(token)
        if collected:
            gc.enable()


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
