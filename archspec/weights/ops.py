"""Reversible array operations between our tensors and the hub's.

Each maps a list of arrays to a list of arrays, forth to the hub and back, and says what becomes of the
shapes. An operation is made for concrete shapes, so whatever fits it forth also fits it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Protocol, final

from msgspec import Struct

from archspec.weights.arrays import Array, ArrayModule, Shape


class Op(Protocol):
    """One step of the way to the hub, and back."""

    def hub_shapes(self, ours: Sequence[Shape]) -> tuple[Shape, ...]:
        """The shapes after the step, from those before it."""
        ...

    def our_shapes(self, hub: Sequence[Shape]) -> tuple[Shape, ...]:
        """The shapes before the step, from those after it."""
        ...

    def to_hub(self, ours: Sequence[Array], xp: ArrayModule) -> list[Array]:
        """The arrays after the step."""
        ...

    def to_ours(self, hub: Sequence[Array], xp: ArrayModule) -> list[Array]:
        """The arrays before the step."""
        ...


@final
class Concatenate(Struct, frozen=True):
    """Arrays of lengths `sizes` along `axis` become one."""

    axis: int
    sizes: tuple[int, ...]

    def hub_shapes(self, ours: Sequence[Shape]) -> tuple[Shape, ...]:
        return (_resized(ours[0], self.axis, sum(self.sizes)),)

    def our_shapes(self, hub: Sequence[Shape]) -> tuple[Shape, ...]:
        return tuple(_resized(hub[0], self.axis, size) for size in self.sizes)

    def to_hub(self, ours: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return [xp.concatenate(list(ours), self.axis)]

    def to_ours(self, hub: Sequence[Array], xp: ArrayModule) -> list[Array]:
        first = hub[0].swapaxes(0, self.axis)
        edges = pairwise(accumulate(self.sizes, initial=0))
        return [first[start:stop].swapaxes(0, self.axis) for start, stop in edges]


@final
class Stack(Struct, frozen=True):
    """`count` arrays of one shape become one with a new first axis."""

    count: int

    def hub_shapes(self, ours: Sequence[Shape]) -> tuple[Shape, ...]:
        return ((self.count, *ours[0]),)

    def our_shapes(self, hub: Sequence[Shape]) -> tuple[Shape, ...]:
        return (hub[0][1:],) * self.count

    def to_hub(self, ours: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return [xp.stack(list(ours), 0)]

    def to_ours(self, hub: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return [hub[0][place] for place in range(self.count)]


@final
class Reversed(Struct, frozen=True):
    """The operation `of`, run the other way."""

    of: Op

    def hub_shapes(self, ours: Sequence[Shape]) -> tuple[Shape, ...]:
        return self.of.our_shapes(ours)

    def our_shapes(self, hub: Sequence[Shape]) -> tuple[Shape, ...]:
        return self.of.hub_shapes(hub)

    def to_hub(self, ours: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return self.of.to_ours(ours, xp)

    def to_ours(self, hub: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return self.of.to_hub(hub, xp)


@final
class Permute(Struct, frozen=True):
    """Row i along `axis` of the hub's array is row `order[i]` of ours."""

    axis: int
    order: tuple[int, ...]

    def hub_shapes(self, ours: Sequence[Shape]) -> tuple[Shape, ...]:
        return tuple(ours)

    def our_shapes(self, hub: Sequence[Shape]) -> tuple[Shape, ...]:
        return tuple(hub)

    def to_hub(self, ours: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return [_take(ours[0], self.order, self.axis)]

    def to_ours(self, hub: Sequence[Array], xp: ArrayModule) -> list[Array]:
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        return [_take(hub[0], inverse, self.axis)]


@final
class Reshape(Struct, frozen=True):
    """The same elements in row-major order, in another shape."""

    ours: Shape
    hub: Shape

    def hub_shapes(self, ours: Sequence[Shape]) -> tuple[Shape, ...]:
        return (self.hub,)

    def our_shapes(self, hub: Sequence[Shape]) -> tuple[Shape, ...]:
        return (self.ours,)

    def to_hub(self, ours: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return [ours[0].reshape(self.hub)]

    def to_ours(self, hub: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return [hub[0].reshape(self.ours)]


@final
class Transpose(Struct, frozen=True):
    """The last two axes exchanged."""

    def hub_shapes(self, ours: Sequence[Shape]) -> tuple[Shape, ...]:
        return tuple((*shape[:-2], shape[-1], shape[-2]) for shape in ours)

    def our_shapes(self, hub: Sequence[Shape]) -> tuple[Shape, ...]:
        return self.hub_shapes(hub)

    def to_hub(self, ours: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return [ours[0].swapaxes(-1, -2)]

    def to_ours(self, hub: Sequence[Array], xp: ArrayModule) -> list[Array]:
        return self.to_hub(hub, xp)


def _resized(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _take(array: Array, rows: Sequence[int], axis: int) -> Array:
    return array.swapaxes(0, axis)[list(rows)].swapaxes(0, axis)
