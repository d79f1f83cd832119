"""Normalisation, as the formulas say it."""

from typing import Any

import numpy as np

from archspec.dims import num as n
from archspec.ir.ops.norm import BatchNorm, GroupNorm, LayerNorm, RmsNorm
from tests.backends.torch.ops.harness import EPS, HEADS, Array, B, S, case, f, i

TINY = n.num(1e-5)


def scaled(x: Array, weight: Array | None, bias: Array | None) -> Array:
    return x * (1 if weight is None else weight) + (0 if bias is None else bias)


def layer(eps: float) -> Any:
    def reference(x: Array, weight: Array | None = None, bias: Array | None = None) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        return scaled(centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps), weight, bias)

    return reference


def rms(eps: float, offset: float = 0) -> Any:
    def reference(x: Array, weight: Array | None = None) -> Array:
        y = x / np.sqrt((x**2).mean(-1, keepdims=True) + eps)
        return y if weight is None else y * (weight + offset)

    return reference


def group(groups: int, eps: float) -> Any:
    def reference(x: Array, weight: Array | None = None, bias: Array | None = None) -> Array:
        y = layer(eps)(x.reshape(x.shape[0], groups, -1)).reshape(x.shape)
        return scaled(y, *(p if p is None else p.reshape(-1, *[1] * (x.ndim - 2)) for p in (weight, bias)))

    return reference


def batch(eps: float) -> Any:
    def reference(x: Array, *given: Array | None) -> Array:
        statistics, affine = given[:2], given[3:]  # the count of batches changes nothing
        shaped = [
            None if p is None else p.reshape(-1, *[1] * (x.ndim - 2))
            for p in (*statistics, *affine, None, None)
        ]
        mean, var, weight, bias = shaped[:4]
        assert mean is not None
        assert var is not None
        return scaled((x - mean) / np.sqrt(var + eps), weight, bias)

    return reference


STATISTICS = (f(4), f(4, low=0.5), i(9))
CASES = [
    case(LayerNorm(TINY), f(B, S, 6), f(6), f(6), of=layer(1e-5)),
    case(LayerNorm(EPS), f(B, 6), f(6), of=layer(1e-3)),
    case(LayerNorm(EPS), f(B, 6), None, f(6), of=layer(1e-3)),
    case(LayerNorm(n.num(1e-12)), f(B, 6), of=layer(1e-12)),
    case(LayerNorm(TINY), f(B, 6, dtype="float32"), f(6), f(6), of=layer(1e-5)),
    *(
        case(RmsNorm(EPS, n.num(offset), cast), f(B, S, 6), f(6), of=rms(1e-3, offset))
        for offset in (0, 1, 0.5)
        for cast in ("before", "after")
    ),
    case(RmsNorm(EPS, n.num(0)), f(B, 6), of=rms(1e-3)),
    case(RmsNorm(EPS, n.num(0.0), "after"), f(B, 6, dtype="float32"), f(6), of=rms(1e-3)),
    case(RmsNorm(EPS, n.num(1), "after"), f(B, 6), f(6, dtype="float32"), of=rms(1e-3, 1)),
    case(GroupNorm(n.num(2), TINY), f(B, 4, S), f(4), f(4), of=group(2, 1e-5)),
    case(GroupNorm(HEADS, EPS), f(B, 8, 3, 2), of=group(4, 1e-3)),
    case(GroupNorm(n.num(1), EPS), f(B, 4, 3), f(4), of=group(1, 1e-3)),
    case(BatchNorm(TINY, n.num(0.1)), f(B, 4, S), *STATISTICS, f(4), f(4), of=batch(1e-5)),
    case(BatchNorm(EPS, n.num(0.01)), f(B, 4, 3, 2), *STATISTICS, of=batch(1e-3)),
    case(BatchNorm(EPS, n.num(0.01)), f(B, 4), *STATISTICS, f(4), of=batch(1e-3)),
]
