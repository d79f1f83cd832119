"""A region that runs at each position of an axis: what its inputs and results are outside of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archspec.dims.num import Num
from archspec.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Along:
    """How a region runs at each position of `axis`, from the first to the last.

    Its first `carried` inputs are values that go on from position to position: what a run gives for them, in
    its first results, the next run takes. The next `cut` are the element at the position of what the call is
    given, without the axis. All others are the same at each position. The call gives the last carried values,
    and then what the runs give beside them, stacked along `axis`.
    """

    axis: int
    carried: int
    cut: int

    @property
    def own(self) -> int:
        """How many of the first inputs are another value in each run."""
        return self.carried + self.cut

    def inside(self, given: Sequence[TensorType]) -> list[TensorType]:
        """What a run is given, where the call is given this."""
        cut = (at_position(type_, self.axis) for type_ in given[self.carried : self.own])
        return [*given[: self.carried], *cut, *given[self.own :]]

    def outside(self, given: Sequence[TensorType], results: Sequence[TensorType]) -> list[TensorType]:
        """What the call gives, where it is given this and a run gives these results."""
        size = given[self.carried].shape[self.axis]
        joined = (stacked(type_, self.axis, size) for type_ in results[self.carried :])
        return [*given[: self.carried], *joined]


def at_position(type_: TensorType, axis: int) -> TensorType:
    """An element along `axis`, which it lacks."""
    return type_.with_shape(*type_.shape[:axis], *type_.shape[axis + 1 :])


def stacked(type_: TensorType, axis: int, size: Num) -> TensorType:
    """`size` such elements along a new `axis`."""
    return type_.with_shape(*type_.shape[:axis], size, *type_.shape[axis:])
