"""How well numbers in fewer bits stand for those in more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

_INFINITE = float("inf")


class Agreement(Struct, frozen=True):
    """`cosine` of the angle between two tensors as vectors; `most`: the largest difference of two numbers.

    `largest`: the largest magnitude in the tensor that is compared with. What is infinite there is left out.
    """

    cosine: float
    most: float
    largest: float

    def __str__(self) -> str:
        apart = f"at most {self.most:.2g} apart where the largest number is {self.largest:.3g}"
        return f"cosine {self.cosine:.6f}, {apart}"


def agreement(found: Array, wanted: Array) -> Agreement:
    """Compares two tensors of one shape. Two tensors of zeros have a cosine of 1."""
    known = abs(wanted) < _INFINITE
    a, b = found[known].astype("float64"), wanted[known].astype("float64")
    norms = float((a @ a) * (b @ b)) ** 0.5
    same = float(a @ b) / norms if norms else float((a == b).all())
    return Agreement(min(same, 1.0), float(abs(a - b).max(initial=0)), float(abs(b).max(initial=0)))
