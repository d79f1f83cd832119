"""Tensor types: a dtype and a symbolic shape."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from archspec.dims import num as n
from archspec.dims.num import Num

Shape: TypeAlias = tuple[Num, ...]

# `float` is the dtype the model is built in; the sized ones are islands that keep theirs.
FLOATS = ("float", "float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "uint8", "int32", "int64")
DTYPES = (*FLOATS, *INTEGERS, "bool")
SHORT = {
    "float": "float",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
    "int8": "i8",
    "uint8": "u8",
    "int32": "i32",
    "int64": "i64",
    "bool": "bool",
}


class TensorType(Struct, frozen=True):
    """What is known of a tensor before the model runs."""

    dtype: str
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    def with_shape(self, *shape: Num) -> TensorType:
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: str) -> TensorType:
        return TensorType(dtype, self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(str(d) for d in self.shape)}]"


class ShapeError(Exception):
    """An operation was given types it does not take: code, message, hint."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


def require(condition: bool, code: str, message: str, hint: str | None = None) -> None:
    if not condition:
        raise ShapeError(code, message, hint)


def same_size(a: Num, b: Num, what: str) -> None:
    if not n.same(a, b):  # a message is written only where it is read
        raise ShapeError("T001", f"{what}: {a.described()} is not {b.described()}")


def whole(size: Num, what: str, low: int = 0) -> int:
    """The integer that `size` is before the model runs, `low` or more."""
    if not size.static:
        raise ShapeError("T014", f"{what} is {size.described()}, known only when the model runs")
    if not (float(size.real).is_integer() and size.real >= low):
        raise ShapeError("T012", f"{what} is {size.described()}, not a whole number from {low} up")
    return int(size.real)


def share(value: Num, what: str) -> None:
    """Requires a number in [0, 1)."""
    require(value.static, "T014", f"{what} is {value.described()}, known only when the model runs")
    require(0 <= value.real < 1, "T011", f"{what} {value.described()} is outside [0, 1)")


def divides(size: Num, by: Num, message: str) -> None:
    """Requires that `by`, a positive whole number, divides `size`."""
    count = whole(by, "a divisor", 1)
    require(not isinstance(size.value, float) and (size % count).value == 0, "T008", message)


def axis_of(type_: TensorType, axis: int) -> int:
    """A non-negative axis of `type_`."""
    require(-type_.rank <= axis < type_.rank, "T002", f"axis {axis} is outside {type_}")
    return axis % type_.rank


def broadcast(*shapes: Shape) -> Shape:
    """The shape elementwise operations give, by NumPy's rule; sizes must be equal or 1."""
    out: list[Num] = []
    for position in range(max(map(len, shapes))):
        size = n.num(1)
        for shape in shapes:
            if position < len(shape):
                size = _merge(size, shape[-1 - position], shapes)
        out.append(size)
    return tuple(reversed(out))


def _merge(a: Num, b: Num, shapes: tuple[Shape, ...]) -> Num:
    if a.value == 1:
        return b
    shown = " and ".join("[" + ", ".join(str(d) for d in s) + "]" for s in shapes)
    require(
        b.value == 1 or n.same(a, b),
        "T003",
        f"shapes {shown} do not broadcast: {a.described()} against {b.described()}",
    )
    return a


def is_float(dtype: str) -> bool:
    return dtype in FLOATS


def promote(*dtypes: str) -> str:
    """The dtype of an elementwise result: floats over integers over bool, `float` below float32."""
    order = ("bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float", "float32", "float64")
    return max(dtypes, key=order.index)
