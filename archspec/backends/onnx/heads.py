"""The two layouts of heads: [B, S, H * E], as projections leave them, and [B, H, S, E]."""

from __future__ import annotations

import onnx_ir as ir

from archspec.backends.onnx.place import Place
from archspec.backends.onnx.tensor import Grown, Tensor
from archspec.ir.types import TensorType

HEADS_FIRST = (0, 2, 1, 3)


def heads_first(rows: ir.Value, heads: int, place: Place) -> ir.Value:
    """[B, S, H * E] as [B, H, S, E]."""
    parted = place.one("Reshape", rows, place.tape.integers(0, 0, heads, -1))
    return place.one("Transpose", parted, perm=HEADS_FIRST)


def rows_of(x: Tensor, place: Place) -> ir.Value:
    """[B, H, S, E] as [B, S, H * E]."""
    if x.rows is not None:
        return x.rows
    return place.one(
        "Reshape", place.one("Transpose", x.value, perm=HEADS_FIRST), place.tape.integers(0, 0, -1)
    )


def of_rows(rows: ir.Value, type_: TensorType, place: Place) -> Tensor:
    """A tensor [B, H, S, E] that is at hand as rows."""
    heads = int(type_.shape[1])
    return Tensor(type_, lambda: heads_first(rows, heads, place), rows)


def grown_of(x: Grown, place: Place) -> ir.Value:
    """What a cache holds next, written here: [B, G, past + S, E]."""
    rows, heads = x.new.rows, int(x.new.type.shape[1])
    new = x.new.value if rows is None else heads_first(rows, heads, place)
    return place.one("Concat", x.past, new, axis=2)


def width(type_: TensorType) -> int:
    """Of a row of all heads."""
    return int(type_.shape[1]) * int(type_.shape[3])
