"""Recurrences, step by step."""

from typing import Any

import numpy as np

from archspec.ir.ops.recurrence import Scan
from tests.backends.torch.ops.harness import Array, B, S, case, f


def scan(axis: int) -> Any:
    def reference(a: Array, b: Array, first: Array | None = None) -> list[Array]:
        a, b = (np.moveaxis(x, axis, 0) for x in np.broadcast_arrays(a, b))
        h = np.zeros_like(b[0]) if first is None else first
        found: list[Array] = []
        for a_t, b_t in zip(a, b, strict=True):
            h = a_t * h + b_t
            found.append(h)
        return [np.stack(found, axis), h]

    return reference


CASES = [
    case(Scan(1), f(B, S, 3, low=0, high=1), f(B, S, 3), of=scan(1)),
    case(Scan(1), f(B, S, 3, low=0, high=1), f(B, S, 3), f(B, 3), of=scan(1)),
    case(Scan(-1), f(3, 1, low=0, high=1), f(B, 3, S), f(B, 3), of=scan(-1)),
    case(Scan(2), f(B, 1, S, 1, low=0, high=1), f(B, 2, S, 3), None, of=scan(2)),
    case(Scan(1), f(B, S, 3, dtype="float32", low=0, high=1), f(B, S, 3), f(B, 3), of=scan(1)),
]
