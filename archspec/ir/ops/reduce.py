"""Operations that fold an axis."""

from __future__ import annotations

from typing import ClassVar

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.op import Mixed, Op
from archspec.ir.types import TensorType, axis_of, is_float, require, whole


class Reduce(Op, frozen=True):
    """`sum`, `mean`, `max`, `min`, `prod`, `var` (population), `any` or `all` over `axes`."""

    work: ClassVar = "reduction"
    fn: str
    axes: tuple[int, ...]
    keep: bool = False

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        names = ("sum", "mean", "max", "min", "prod", "var", "any", "all")
        require(self.fn in names, "T010", f"unknown reduction '{self.fn}'")
        require(
            (self.fn in ("any", "all")) == (x.dtype == "bool"), "T007", f"{self.fn} does not take {x.dtype}"
        )
        floats = self.fn not in ("mean", "var") or is_float(x.dtype)
        require(floats, "T007", f"{self.fn} takes floats, not {x.dtype}")
        axes = {axis_of(x, a) for a in self.axes}
        kept = [n.num(1) if i in axes else d for i, d in enumerate(x.shape) if self.keep or i not in axes]
        return (x.with_shape(*kept),)

    def mixes(self, x: TensorType) -> Mixed:
        return (self.axes,)


class ArgReduce(Op, frozen=True):
    """The index of the largest (`max`) or smallest (`min`) element along `axis`; the first of equals."""

    work: ClassVar = "reduction"
    fn: str
    axis: int

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        require(self.fn in ("max", "min"), "T010", f"unknown reduction '{self.fn}'")
        return (TensorType("int64", x.shape[:axis] + x.shape[axis + 1 :]),)

    def mixes(self, x: TensorType) -> Mixed:
        return ((self.axis,),)


class Cumulate(Op, frozen=True):
    """Running `sum`, `prod` or `max` along `axis`."""

    work: ClassVar = "reduction"
    fn: str
    axis: int

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis_of(x, self.axis)
        require(self.fn in ("sum", "prod", "max"), "T010", f"unknown cumulation '{self.fn}'")
        return (x.with_dtype("int64") if x.dtype == "bool" else x,)

    def mixes(self, x: TensorType) -> Mixed:
        return ((self.axis,),)


class TopK(Op, frozen=True):
    """The `k` largest along the last axis, in descending order: values, and their indices."""

    work: ClassVar = "reduction"
    k: Num

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        last = x.shape[axis_of(x, -1)]
        k = whole(self.k, "top k", 1)
        require(
            not last.static or k <= whole(last, "the last size"),
            "T004",
            f"the {self.k.described()} largest of only {last.described()}",
            "take fewer of them",
        )
        shape = (*x.shape[:-1], self.k)
        return TensorType(x.dtype, shape), TensorType("int64", shape)

    def mixes(self, x: TensorType) -> Mixed:
        return ((-1,),)


class Softmax(Op, frozen=True):
    """exp(x) over its sum along `axis`, computed in `dtype` and returned in the operand's."""

    work: ClassVar = "reduction"
    axis: int = -1
    dtype: str = "float32"

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis_of(x, self.axis)
        require(is_float(x.dtype), "T007", f"softmax takes floats, not {x.dtype}")
        require(is_float(self.dtype), "T010", f"softmax is computed in floats, not {self.dtype}")
        return (x,)

    def mixes(self, x: TensorType) -> Mixed:
        return ((self.axis,),)

    def elementwise(self, x: TensorType) -> Num:
        """Per element: the largest, a difference, exp, the sum, a quotient."""
        return 5 * n.product(x.shape)


class LogSumExp(Op, frozen=True):
    """log of the sum of exp(x) along `axis`."""

    work: ClassVar = "reduction"
    axis: int = -1

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        require(is_float(x.dtype), "T007", f"logsumexp takes floats, not {x.dtype}")
        return (x.with_shape(*x.shape[:axis], *x.shape[axis + 1 :]),)

    def mixes(self, x: TensorType) -> Mixed:
        return ((self.axis,),)

    def elementwise(self, x: TensorType) -> Num:
        """Per element: the largest, a difference, exp, the sum."""
        return 4 * n.product(x.shape)
