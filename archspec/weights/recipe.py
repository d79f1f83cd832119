"""Recipes: which of our tensors become which of the hub's, and the steps between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from archspec.weights.arrays import Array, ArrayModule, Reader
from archspec.weights.ops import Op


class Step(Struct, frozen=True):
    """`op` takes the tensors `inputs` and makes the tensors `outputs`."""

    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Recipe(Struct, frozen=True):
    """A few of our tensors and the few hub tensors they become: the smallest part of a map that stands alone.

    `ours[i]` enters the steps under the name `entry[i]`, and `hub[i]` leaves them under the name `exit[i]`.
    """

    ours: tuple[str, ...]
    entry: tuple[str, ...]
    steps: tuple[Step, ...]
    exit: tuple[str, ...]
    hub: tuple[str, ...]

    def to_hub(self, read: Reader, xp: ArrayModule) -> Iterator[tuple[str, Array]]:
        """Reads our tensors, gives the hub's."""
        held = {entry: read(name) for name, entry in zip(self.ours, self.entry, strict=True)}
        for step in self.steps:
            _exchange(
                held, step.inputs, step.outputs, step.op.to_hub([held[name] for name in step.inputs], xp)
            )
        return ((name, held[leaving]) for name, leaving in zip(self.hub, self.exit, strict=True))

    def to_ours(self, read: Reader, xp: ArrayModule) -> Iterator[tuple[str, Array]]:
        """Reads the hub's tensors, gives ours."""
        held = {leaving: read(name) for name, leaving in zip(self.hub, self.exit, strict=True)}
        for step in reversed(self.steps):
            _exchange(
                held, step.outputs, step.inputs, step.op.to_ours([held[name] for name in step.outputs], xp)
            )
        return ((name, held[entry]) for name, entry in zip(self.ours, self.entry, strict=True))

    def reading(self, name: str, alias: str) -> Recipe:
        """The recipe with the hub tensor `alias` in place of its hub tensor `name`."""
        return replace(self, hub=tuple(alias if each == name else each for each in self.hub))


def _exchange(
    held: dict[str, Array], taken: Sequence[str], made: Sequence[str], arrays: Sequence[Array]
) -> None:
    for name in taken:
        del held[name]
    held.update(zip(made, arrays, strict=True))
