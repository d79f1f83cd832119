"""Operations that make tensors from nothing, and casts."""

from __future__ import annotations

from typing import ClassVar

from archspec.dims.num import Num
from archspec.ir.op import Op
from archspec.ir.types import DTYPES, FLOATS, INTEGERS, Shape, TensorType, require


class Iota(Op, frozen=True):
    """`start, start + 1, …`: `size` integers, shape [size]."""

    work: ClassVar = "source"
    size: Num
    start: Num
    dtype: str = "int64"

    def infer(self) -> tuple[TensorType, ...]:
        require(self.dtype in (*INTEGERS, *FLOATS), "T010", f"iota counts in numbers, not {self.dtype}")
        return (TensorType(self.dtype, (self.size,)),)


class Full(Op, frozen=True):
    """`value` everywhere, in the given shape and dtype."""

    work: ClassVar = "source"
    shape: Shape
    value: Num
    dtype: str = "float"

    def infer(self) -> tuple[TensorType, ...]:
        require(self.dtype in DTYPES, "T010", f"unknown dtype '{self.dtype}'")
        return (TensorType(self.dtype, self.shape),)


class Random(Op, frozen=True):
    """Independent draws in the given shape: standard `normal`, or `uniform` in [0, 1)."""

    work: ClassVar = "source"
    shape: Shape
    kind: str = "normal"

    def infer(self) -> tuple[TensorType, ...]:
        require(self.kind in ("normal", "uniform"), "T010", f"unknown distribution '{self.kind}'")
        return (TensorType("float", self.shape),)


class Otherwise(Op, frozen=True):
    """`x`, or `y` where x is absent at run time; both are of one type."""

    work: ClassVar = "movement"

    def infer(self, x: TensorType | None, y: TensorType) -> tuple[TensorType, ...]:
        require(x is None or x == y, "T003", f"{x}, or otherwise {y}: both must be of one type")
        return (y,)


class Cast(Op, frozen=True):
    """The same numbers in another dtype. `float` is the dtype the model is built in."""

    work: ClassVar = "movement"
    dtype: str

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(self.dtype in DTYPES, "T010", f"unknown dtype '{self.dtype}'")
        return (x.with_dtype(self.dtype),)
