"""Operations that work element by element, with NumPy broadcasting."""

from __future__ import annotations

from typing import ClassVar

from archspec.dims.num import Num
from archspec.ir.op import Op
from archspec.ir.types import TensorType, broadcast, is_float, promote, require, share

FLOAT_MAPS = (
    "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid", "erf", "gelu",
    "gelu_tanh", "quick_gelu", "silu", "relu2", "softplus", "mish", "hardswish", "elu", "selu", "reciprocal",
)  # fmt: skip
MAPS = (*FLOAT_MAPS, "neg", "abs", "sign", "relu", "round", "floor", "ceil", "not", "square")
ARITH = ("add", "sub", "mul", "div", "floordiv", "mod", "pow", "minimum", "maximum")
COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")


class Map(Op, frozen=True):
    """`fn` of every element.

    gelu is exact (erf), gelu_tanh its tanh form, quick_gelu x * sigmoid(1.702 x).
    """

    work: ClassVar = "elementwise"
    fn: str

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(self.fn in MAPS, "T010", f"unknown function '{self.fn}'")
        floats = self.fn not in FLOAT_MAPS or is_float(x.dtype)
        require(floats, "T007", f"{self.fn} takes floats, not {x.dtype}")
        require((self.fn == "not") == (x.dtype == "bool"), "T007", f"{self.fn} does not take {x.dtype}")
        return (x,)


class Arith(Op, frozen=True):
    """`a fn b`. `div` of integers gives floats; `floordiv` and `mod` round toward minus infinity."""

    work: ClassVar = "elementwise"
    fn: str

    def infer(self, a: TensorType, b: TensorType) -> tuple[TensorType, ...]:
        require(self.fn in ARITH, "T010", f"unknown function '{self.fn}'")
        dtype = promote(a.dtype, b.dtype)
        require(
            dtype != "bool", "T007", f"{self.fn} does not take booleans", "cast them, or use 'and' and 'or'"
        )
        dtype = "float" if self.fn == "div" and not is_float(dtype) else dtype
        return (TensorType(dtype, broadcast(a.shape, b.shape)),)


class Scalar(Op, frozen=True):
    """`x fn value` with a number known before the model runs; `flip` puts the number first."""

    work: ClassVar = "elementwise"
    fn: str
    value: Num
    flip: bool = False

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(self.fn in ARITH, "T010", f"unknown function '{self.fn}'")
        require(x.dtype != "bool", "T007", f"{self.fn} does not take booleans")
        fractional = isinstance(self.value.value, float) or self.fn == "div"
        return (x.with_dtype("float") if fractional and not is_float(x.dtype) else x,)


class Compare(Op, frozen=True):
    """`a fn b`, as booleans."""

    work: ClassVar = "elementwise"
    fn: str

    def infer(self, a: TensorType, b: TensorType) -> tuple[TensorType, ...]:
        require(self.fn in COMPARE, "T010", f"unknown comparison '{self.fn}'")
        return (TensorType("bool", broadcast(a.shape, b.shape)),)


class CompareScalar(Op, frozen=True):
    """`x fn value`, as booleans."""

    work: ClassVar = "elementwise"
    fn: str
    value: Num

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(self.fn in COMPARE, "T010", f"unknown comparison '{self.fn}'")
        return (x.with_dtype("bool"),)


class Logic(Op, frozen=True):
    """`and` or `or` of booleans."""

    work: ClassVar = "elementwise"
    fn: str

    def infer(self, a: TensorType, b: TensorType) -> tuple[TensorType, ...]:
        require(self.fn in ("and", "or"), "T010", f"unknown logic '{self.fn}'")
        require(
            a.dtype == b.dtype == "bool", "T007", f"'{self.fn}' takes booleans, not {a.dtype} and {b.dtype}"
        )
        return (TensorType("bool", broadcast(a.shape, b.shape)),)


class Where(Op, frozen=True):
    """`a` where the condition holds, else `b`."""

    work: ClassVar = "elementwise"

    def infer(self, condition: TensorType, a: TensorType, b: TensorType) -> tuple[TensorType, ...]:
        require(condition.dtype == "bool", "T007", f"a condition is boolean, not {condition.dtype}")
        return (TensorType(promote(a.dtype, b.dtype), broadcast(condition.shape, a.shape, b.shape)),)


class Clamp(Op, frozen=True):
    """Elements held between `low` and `high`; null leaves a side open."""

    work: ClassVar = "elementwise"
    low: Num | None
    high: Num | None

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(x.dtype != "bool", "T007", "clamp does not take booleans")
        return (x,)


class Dropout(Op, frozen=True):
    """In training, zeroes elements with probability `p`, divides the rest by 1 - p; else the identity."""

    work: ClassVar = "movement"
    p: Num

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(is_float(x.dtype), "T007", f"dropout takes floats, not {x.dtype}")
        share(self.p, "dropout probability")
        return (x,)


class StopGradient(Op, frozen=True):
    """The identity, through which no gradient flows."""

    work: ClassVar = "movement"

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        return (x,)
