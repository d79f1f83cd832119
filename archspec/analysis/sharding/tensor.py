"""What the analysis follows through a graph: values by the axes they have, and the operations on them."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.ir.op import Op
from archspec.ir.types import TensorType, is_float


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A value at one place: its type, and one axis of `Dims` for each of its own.

    `owner`: the path of the parameter that it is. `constant`: made from parameters and numbers alone.
    `learned`: a gradient flows to it. `given`: integers that a caller must give, such as tokens.
    """

    name: str
    type: TensorType
    axes: tuple[int, ...]
    owner: str = ""
    constant: bool = False
    learned: bool = False
    given: bool = False

    @property
    def float_(self) -> bool:
        return is_float(self.type.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """An operation at one place, which runs `times` in a forward pass.

    `contracted`: axes that it sums over; a device with a part of them has a part of the sum.
    """

    path: str
    op: Op
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    contracted: tuple[int, ...]
    times: int

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (*(x for x in self.inputs if x is not None), *self.outputs)


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """The border of a layer: what enters it and leaves it, `inner` as seen inside, `outer` as seen around.

    `summed`: the layer is an expert, whose results are added to those of the others.
    """

    path: str
    entering: tuple[tuple[Tensor, Tensor], ...]
    inner: tuple[Tensor, ...]
    outer: tuple[Tensor, ...]
    summed: bool
    times: int
    around: str
    around_times: int
