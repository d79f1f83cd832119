"""torch's dtypes, and what comes of mixing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

KINDS = ("bool", "int", "float")  # each gives way to the next


class DType(Struct, frozen=True, gc=False):
    """A dtype: its name in torch, bytes of an element, and its kind."""

    name: str
    itemsize: int
    kind: str

    @property
    def is_floating_point(self) -> bool:
        return self.kind == "float"


bool_ = DType("bool", 1, "bool")
uint8 = DType("uint8", 1, "int")
int8 = DType("int8", 1, "int")
int16 = DType("int16", 2, "int")
int32 = DType("int32", 4, "int")
int64 = DType("int64", 8, "int")
float16 = DType("float16", 2, "float")
bfloat16 = DType("bfloat16", 2, "float")
float32 = DType("float32", 4, "float")
float64 = DType("float64", 8, "float")
DTYPES = {d.name: d for d in (bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64)}


class Info(Struct, frozen=True):
    """The ends of a dtype's range. Which number it is does not matter to shapes."""

    min: float = -1.0
    max: float = 1.0
    eps: float = 1.0
    tiny: float = 1.0


def promote(a: DType, b: DType) -> DType:
    """`torch.promote_types`."""
    if a.kind != b.kind:
        return max(a, b, key=lambda d: KINDS.index(d.kind))
    if {a.name, b.name} == {"float16", "bfloat16"}:
        return float32
    if {a.name, b.name} == {"int8", "uint8"}:
        return int16
    return max(a, b, key=lambda d: d.itemsize)


def of_number(value: object, default: DType) -> DType:
    """The dtype that a Python number stands for."""
    if isinstance(value, bool):
        return bool_
    return int64 if isinstance(value, int) else default


def mixed(operands: Iterable[Any], default: DType) -> DType:
    """`torch.result_type`: tensors with axes count before those without, and those before Python numbers."""
    ranks: Sequence[list[DType]] = ([], [], [])
    for x in operands:
        if isinstance(x, (bool, int, float)):
            ranks[2].append(of_number(x, default))
        else:
            ranks[0 if x.shape else 1].append(x.dtype)
    found: DType | None = None
    for dtypes in ranks:
        for dtype in dtypes:
            if found is None or (
                dtypes is not ranks[0] and KINDS.index(dtype.kind) > KINDS.index(found.kind)
            ):
                found = dtype
            elif dtypes is ranks[0]:
                found = promote(found, dtype)
    return found or default
