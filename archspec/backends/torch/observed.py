"""What a run of a real module came to, in plain numbers."""

from __future__ import annotations

from msgspec import Struct

Kept = tuple[str, int, str]


class Ran(Struct, frozen=True):
    """One operation that ran: FLOPs of its products (2 per multiply-add), bytes of what it allocated."""

    operation: str
    flops: int
    nbytes: int


class Module(Struct, frozen=True):
    """What a module has, each tensor once: numbers that learn, numbers kept that do not, and bytes."""

    parameters: int
    buffers: int
    nbytes: int


class Forward(Struct, frozen=True):
    """A run without gradients.

    `counted`: FLOPs by FlopCounterMode as torch ships it, which does not know attention fused on a CPU;
    `ran` has them. `peak`: most bytes alive that are no parameters, buffers or inputs; None where nothing is
    allocated.
    """

    counted: int
    ran: tuple[Ran, ...]
    peak: int | None
    peak_at: str

    @property
    def flops(self) -> int:
        return sum(one.flops for one in self.ran)


class Step(Struct, frozen=True):
    """A run with gradients: FLOPs forward and backward, and bytes kept for the backward pass.

    `saved` is by role, number of elements and dtype of a storage; `kept` is what is no parameter, buffer or
    input. `peak`: the most bytes alive at once in the whole step, gradients of parameters apart.
    """

    forward: tuple[Ran, ...]
    backward: tuple[Ran, ...]
    kept: int | None
    saved: dict[Kept, int]
    peak: int | None = None


class Other(Struct, frozen=True):
    """What another counter says: multiply-adds times 2, operations it counts nothing for and how often."""

    flops: int
    skipped: dict[str, int]
