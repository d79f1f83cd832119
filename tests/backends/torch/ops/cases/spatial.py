"""Pooling and resampling, by windows and by coordinates."""

from itertools import product
from typing import Any

import numpy as np

from archspec.dims import num as n
from archspec.ir.ops.spatial import Pool, Resample
from tests.backends.torch.ops.harness import Array, B, Case, Operand, S, case, dims, f


def pool(
    x: Operand, fn: str, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...]
) -> Case:
    def reference(a: Array) -> Array:
        value = -np.inf if fn == "max" else 0
        a = np.pad(a, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=value)
        size = [(s - k) // t + 1 for s, k, t in zip(a.shape[2:], kernel, stride, strict=True)]
        out = np.zeros((*a.shape[:2], *size))
        for at in product(*map(range, size)):
            window = [slice(p * t, p * t + k) for p, t, k in zip(at, stride, kernel, strict=True)]
            cut = a[(slice(None), slice(None), *window)].reshape(*a.shape[:2], -1)
            out[(slice(None), slice(None), *at)] = cut.max(-1) if fn == "max" else cut.mean(-1)
        return out

    return case(Pool(fn, dims(*kernel), dims(*stride), dims(*padding)), x, of=reference)


def _along(x: Array, axis: int, scale: int, linear: bool) -> Array:
    """One axis resampled; pixel centres lie at (i + 1/2) / scale - 1/2."""
    size = x.shape[axis]
    if not linear:
        return np.repeat(x, scale, axis)
    at = np.clip((np.arange(size * scale) + 0.5) / scale - 0.5, 0, None)
    low = at.astype(int)
    high = np.minimum(low + 1, size - 1)
    weight = (at - low).reshape(-1, *[1] * (x.ndim - axis - 1))
    return x.take(low, axis) * (1 - weight) + x.take(high, axis) * weight


def resample(scale: int, mode: str) -> Any:
    def reference(x: Array) -> Array:
        for axis in range(2, x.ndim):
            x = _along(x, axis, scale, mode == "linear")
        return x

    return reference


CASES = [
    pool(f(B, 3, S), "max", (2,), (2,), (0,)),
    pool(f(B, 3, S), "mean", (3,), (1,), (1,)),
    pool(f(B, 3, 6, 7), "max", (3, 3), (2, 2), (1, 1)),
    pool(f(B, 3, 6, 7), "mean", (2, 3), (2, 3), (0, 0)),
    pool(f(B, 3, 6, 7), "mean", (2, 3), (1, 2), (1, 0)),
    pool(f(B, 2, 4, 4, 4), "max", (2, 2, 2), (2, 2, 2), (0, 0, 0)),
    *(
        case(Resample(n.num(scale), mode), x, of=resample(scale, mode))
        for scale in (2, 3)
        for mode in ("nearest", "linear")
        for x in (f(B, 3, S), f(B, 3, 3, 4), f(B, 2, 2, 3, 2))
    ),
]
