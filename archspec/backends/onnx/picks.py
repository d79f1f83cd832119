"""Places along a sequence that data picks, row by row of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from archspec.backends.onnx.place import Place
from archspec.dims.num import Num


@dataclass(frozen=True, slots=True)
class Picks:
    """`places` [B, P], those that are picked first, ascending; `there` [B, P]: whether one is; `count`: P."""

    places: ir.Value
    there: ir.Value
    count: ir.Value


def picks(where: ir.Value, place: Place, least: int = 0) -> Picks:
    """Of booleans [B, S]: as many places per row as the row with most has, and at least so many."""
    whole = place.cast(where, "bool", "int64")
    counts = place.one("ReduceSum", whole, place.tape.integers(1))
    count = place.one("Reshape", place.one("ReduceMax", counts, keepdims=0), place.tape.integers(1))
    count = place.one("Max", count, place.tape.integers(least)) if least else count
    there, places = place.tape.op("TopK", whole, count, outputs=2, axis=1)
    return Picks(places, place.cast(there, "int64", "bool"), count)


def begins(batch: Num, step: ir.Value, axes: int, place: Place) -> ir.Value:
    """0, step, 2 step, ...: where each element of the batch begins, [B, 1, ...] with so many axes."""
    zero, one = place.scalar(0, "int64"), place.scalar(1, "int64")
    counted = place.one("Range", zero, place.rank0(batch, "int64"), one)
    return place.one("Unsqueeze", place.one("Mul", counted, step), place.tape.integers(*range(1, axes)))
