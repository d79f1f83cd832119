"""The largest batch or the longest context that fits a device, and what stands in the way of more."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from archspec.analysis.device import Device
from archspec.analysis.ranges import at_least, positive
from archspec.analysis.serving_cost import Served

# A search goes no further than this: beyond it something else than memory is the limit.
MOST = 1 << 40


class Memory(Struct, frozen=True):
    """Bytes that serving takes on a device: weights, states of all sequences, peak of activations."""

    weights: float
    state: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.state + self.activations


class Fit(Struct, frozen=True):
    """The largest number that fits, 0 where none does, and the memory it takes of what there is (bytes).

    `binding` is what keeps the next one out: `weights`, `state`, `activations`, or `limit`: the one given by
    the caller.
    """

    largest: int
    memory: Memory
    available: int
    binding: str


def memory(model: Served, batch: int, context: int, chunk: int | None = None) -> Memory:
    """Bytes of a batch whose sequences hold `context` tokens each.

    `chunk` tokens of them are computed at once, by default all. Raises ArchspecError D004.
    """
    positive("batch", batch)
    positive("context", context)
    at_once = min(chunk or context, context)
    return Memory(
        model.weight_bytes, batch * model.state_bytes(context), model.activation_bytes(batch, at_once)
    )


def largest_batch(
    model: Served,
    device: Device,
    context: int,
    *,
    chunk: int | None = None,
    limit: int = MOST,
    reserve: int = 0,
) -> Fit:
    """The most sequences of a context that fit.

    `reserve`: bytes that something else takes, such as a runtime. Raises ArchspecError D003 where the device
    states no memory, D004.
    """
    return _largest(lambda batch: memory(model, batch, context, chunk), device, limit, reserve)


def longest_context(
    model: Served,
    device: Device,
    batch: int,
    *,
    chunk: int | None = None,
    limit: int = MOST,
    reserve: int = 0,
) -> Fit:
    """The most tokens that each sequence of a batch can hold.

    `limit` may be the positions that the model knows. Raises ArchspecError D003 where the device states no
    memory, D004.
    """
    return _largest(lambda context: memory(model, batch, context, chunk), device, limit, reserve)


def _largest(needs: Callable[[int], Memory], device: Device, limit: int, reserve: int) -> Fit:
    positive("limit", limit)
    at_least("reserve", 0, reserve)
    available = device.capacity() - reserve
    low = _search(lambda size: needs(size).total <= available, limit)
    taken = needs(low) if low else Memory(0, 0, 0)
    return Fit(low, taken, available, "limit" if low == limit else _binding(taken, needs(low + 1), available))


def _search(fits: Callable[[int], bool], limit: int) -> int:
    """The largest size from 1 to `limit` that fits, 0 where none does; what is larger never fits again."""
    high = 1
    while high < limit and fits(high):
        high = min(2 * high, limit)
    if fits(high):
        return high
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _binding(taken: Memory, wanted: Memory, available: int) -> str:
    """What the next one asks most more of; the weights, where they alone do not fit."""
    if wanted.weights > available:
        return "weights"
    grown = {"state": wanted.state - taken.state, "activations": wanted.activations - taken.activations}
    return max(grown, key=grown.__getitem__)
