"""Rotary positions, as complex multiplication."""

from typing import Any

import numpy as np

from archspec.dims import num as n
from archspec.ir.ops.attention import Rope, RopeFrequencies, RopeTable
from tests.backends.torch.ops.harness import HEADS, Array, B, S, case, f, i


def frequencies(dim: int, theta: float) -> Any:
    return lambda: theta ** (-2 * np.arange(dim // 2) / dim)


def table(scale: float) -> Any:
    def reference(positions: Array, frequencies: Array | None = None) -> list[Array]:
        angles = positions if frequencies is None else np.multiply.outer(positions, frequencies)
        return [scale * np.cos(angles), scale * np.sin(angles)]

    return reference


def turned(layout: str) -> Any:
    def reference(x: Array, cos: Array, sin: Array) -> Array:
        turn = (cos + 1j * sin).reshape(-1, 1, *cos.shape[-2:])
        half = cos.shape[-1]
        pairs = np.arange(2 * half).reshape((2, half) if layout == "half" else (half, 2))
        first, second = pairs if layout == "half" else pairs.T
        z = (x[..., first] + 1j * x[..., second]) * turn
        out = x.copy()
        out[..., first], out[..., second] = z.real, z.imag
        return out

    return reference


def tables(*lead: n.Num, width: int) -> tuple[Any, Any]:
    return (f(*lead, width, dtype="float32"), f(*lead, width, dtype="float32"))


CASES = [
    case(RopeFrequencies(n.num(6), n.num(100.0)), of=frequencies(6, 100.0)),
    case(RopeFrequencies(HEADS, n.num(10000)), of=frequencies(4, 10000.0)),
    case(RopeTable(), i(50, S), f(3, dtype="float32"), of=table(1.0)),
    case(RopeTable(n.num(1.25)), i(50, B, S), f(3), of=table(1.25)),
    case(RopeTable(n.num(1.25)), f(B, S, 3), of=table(1.25)),
    *(
        case(Rope(layout), f(B, HEADS, S, width), *tables(*lead, width=3), of=turned(layout))
        for layout in ("half", "interleaved")
        for width in (6, 8)
        for lead in ((S,), (B, S))
    ),
]
