"""What a rule of the ONNX backend knows of the place it writes for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir

from archspec.backends.base import Rules
from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.sizes import Known, Sizes
from archspec.backends.onnx.state import States
from archspec.backends.onnx.tape import CONTRIB, Tape
from archspec.backends.onnx.tensor import Tensor
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.errors import Span
from archspec.ir.types import FLOATS, Shape, TensorType

DTYPES = {
    "float16": ir.DataType.FLOAT16,
    "bfloat16": ir.DataType.BFLOAT16,
    "float32": ir.DataType.FLOAT,
    "float64": ir.DataType.DOUBLE,
    "int8": ir.DataType.INT8,
    "uint8": ir.DataType.UINT8,
    "int32": ir.DataType.INT32,
    "int64": ir.DataType.INT64,
    "bool": ir.DataType.BOOL,
}


@dataclass(slots=True)
class Place:
    """Where one operation stands: tape, sizes, state, types of its results, line in the spec."""

    tape: Tape
    sizes: Sizes
    profile: Profile
    states: States
    region: str
    outputs: tuple[TensorType, ...]
    span: Span | None = None

    def one(self, kind: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """The one result of a node."""
        return self.tape.one(kind, *inputs, **attributes)

    def contrib(self, kind: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """The one result of a node of ONNX Runtime's own operators."""
        return self.tape.one(kind, *inputs, domain=CONTRIB, **attributes)

    def dtype(self, name: str) -> ir.DataType:
        """The dtype of ONNX for one of the IR's; `float` is what the model is exported in."""
        return DTYPES[self.profile.dtype if name == "float" else name]

    def cast(self, value: ir.Value, before: str, after: str) -> ir.Value:
        """The value in another dtype of the IR."""
        if self.dtype(before) == self.dtype(after):
            return value
        return self.one("Cast", value, to=int(self.dtype(after)))

    def read(self, x: Tensor, dtype: str) -> ir.Value:
        """A tensor's value in a dtype of the IR."""
        return self.cast(x.value, x.type.dtype, dtype)

    def scalar(self, value: float, dtype: str) -> ir.Value:
        """A number of a dtype of the IR, without axes."""
        with np.errstate(over="ignore"):  # what a narrow float does not hold is infinite
            return self.tape.constant(np.array(value, dtype=self.dtype(dtype).numpy()))

    def floats(self, values: Sequence[float]) -> ir.Value:
        """A vector of float32."""
        return self.tape.constant(np.array(values, dtype=np.float32))

    def number(self, value: Num, dtype: str) -> ir.Value:
        """A number of a dtype of the IR, known now or at run time: without axes, or [1]."""
        if value.static:
            whole = dtype not in FLOATS
            return self.scalar(int(value) if whole else value.real, dtype)
        return self.cast(self.sizes.tensor(value), "int64", dtype)

    def rank0(self, value: Num, dtype: str) -> ir.Value:
        """A number of a dtype of the IR, known now or at run time, without axes."""
        number = self.number(value, dtype)
        return number if value.static else self.one("Squeeze", number)

    def size(self, size: Num) -> Known:
        return self.sizes.of(size)

    def shape(self, sizes: Sequence[Num]) -> ir.Value:
        """Sizes as a vector of int64."""
        return self.sizes.vector(sizes)

    def reshape(self, value: ir.Value, before: Shape, after: Shape) -> ir.Value:
        """The same elements in row-major order. Sizes that stay where they are need not be computed."""
        if len(before) == len(after) and all(map(self.same, before, after)):
            return value
        known: list[Known] = []
        free = 0
        for i, size in enumerate(after):
            plain = self.sizes.plain(size)
            if isinstance(plain, int):
                known.append(plain)
            elif i < len(before) and self.same(before[i], size):
                known.append(0)
            else:
                free += 1
                known.append(-1)
        if free > 1:
            places = [i for i, size in enumerate(known) if isinstance(size, int) and size == -1]
            for i in places[:-1]:
                known[i] = self.sizes.of(after[i])
        return self.one("Reshape", value, self.sizes.joined(known))

    def like(self, value: ir.Value, x: Tensor) -> ir.Value:
        """The same elements in the shape of `x`, whose first axis they have."""
        rest = [self.sizes.plain(size) for size in x.type.shape[1:]]
        known = [size for size in rest if isinstance(size, int)]
        shape = self.tape.integers(0, *known) if len(known) == len(rest) else self.one("Shape", x.value)
        return self.one("Reshape", value, shape)

    def same(self, a: Num, b: Num) -> bool:
        """Whether two sizes are the same in this graph."""
        return n.same(a, b) or self.sizes.plain(a) == self.sizes.plain(b)


NARROW = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
OfOne: TypeAlias = Callable[[ir.Value, str, Place], ir.Value]


def island(write: OfOne) -> OfOne:
    """Decorator: a function of a value and its dtype in the IR is computed in fp32 where that is narrower."""

    @wraps(write)
    def in_float32(x: ir.Value, dtype: str, place: Place) -> ir.Value:
        wide = "float32" if place.dtype(dtype) in NARROW else dtype
        return place.cast(write(place.cast(x, dtype, wide), wide, place), wide, dtype)

    return in_float32


Result: TypeAlias = ir.Value | Tensor | Sequence[ir.Value | Tensor]
RULES: Rules[Place, Tensor, Result] = Rules("onnx")
Args: TypeAlias = Sequence[Tensor | None]


def operand(args: Args, index: int = 0) -> Tensor:
    """An operand that is always there."""
    found = args[index]
    assert found is not None, f"operand {index} is absent"
    return found


def optional(args: Args, index: int) -> Tensor | None:
    """An operand that may be absent, or left off at the end."""
    return args[index] if index < len(args) else None
