"""A tensor of the graph as rules of the ONNX backend see it: a value, and other forms it is at hand in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from archspec.ir.types import TensorType


@dataclass(eq=False, slots=True)
class Grown:
    """What a cache holds next: `new` behind `past` along axis 2, of state `state`."""

    state: str
    index: int
    past: ir.Value
    new: Tensor


@dataclass(eq=False, slots=True)
class Tensor:
    """`type` is that of the IR. The value is made when it is first read: what nobody reads costs nothing.

    `rows`: of a tensor [B, H, S, E], the same as [B, S, H * E]. `joined`: that, of [B, S, H, E].
    `grown`: it is what a cache holds next. `fill`: the number that it holds everywhere, where that is known.
    """

    type: TensorType
    make: ir.Value | Callable[[], ir.Value]
    rows: ir.Value | None = None
    grown: Grown | None = None
    fill: float | None = None
    joined: ir.Value | None = None

    @property
    def value(self) -> ir.Value:
        if not isinstance(self.make, ir.Value):
            self.make = self.make()
        return self.make


__all__ = ["Grown", "Tensor"]
