"""How far apart two results are, beside how far they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct

from archspec.backends.onnx.agreement import agreement

Array: TypeAlias = np.ndarray[Any, Any]

TOLERANCES = {
    "float32": 1e-4,
    "float16": 1e-2,
    "bfloat16": 5e-2,
    "int8": 0.25,
    "int8-static": 0.4,
    "int4": 0.6,
}
"""Differences that are rounding, as parts of the largest number of an output."""
SMALLEST = 0.01  # outputs that are all smaller than this are small differences of larger numbers
REASONS = {
    "float32": "sums are in another order",
    "float16": "each result is rounded to 11 bits",
    "bfloat16": "each result is rounded to 8 bits",
    "int8": "weights and activations are rounded to 8 bits",
    "int8-static": "weights and activations are rounded to 8 bits, and cut off outside of what was seen",
    "int4": "weights are rounded to 4 bits",
}


class Difference(Struct, frozen=True):
    """The largest difference of one output, and the largest number of the reference.

    `allowed` is the tolerance times that number. A difference of another shape is infinite. `cosine` of the
    angle between both as vectors.
    """

    output: str
    found: float
    largest: float
    allowed: float
    cosine: float = 0.0

    @property
    def holds(self) -> bool:
        return self.found <= self.allowed  # False where it is not a number


def difference(name: str, found: Array, wanted: Array, tolerance: float) -> Difference:
    """Compares one output. What is infinite in both, as behind a mask, is equal."""
    if found.shape != wanted.shape:
        return Difference(name, float("inf"), 0.0, 0.0)
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    known = np.isfinite(b)
    with np.errstate(invalid="ignore"):
        apart = np.where(known | (a != b), np.abs(a - b), 0.0)
    largest = float(np.abs(b[known]).max(initial=0.0))
    allowed = tolerance * max(SMALLEST, largest)
    return Difference(name, float(apart.max(initial=0.0)), largest, allowed, agreement(a, b).cosine)


def differences(
    found: Mapping[str, Array], wanted: Mapping[str, Array], tolerance: float
) -> tuple[Difference, ...]:
    """Every output that both have."""
    return tuple(
        difference(name, found[name], array, tolerance) for name, array in wanted.items() if name in found
    )
