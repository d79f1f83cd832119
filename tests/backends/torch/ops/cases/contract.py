"""Matrix products and convolutions, by explicit sums over the kernel."""

# A reference is a lambda over arrays of any kind.
# pyright: reportUnknownLambdaType=false

from itertools import product
from typing import Any

import numpy as np

from archspec.dims import num as n
from archspec.ir.ops.contract import Conv, ConvTranspose, Einsum, Linear, Matmul
from tests.backends.torch.ops.harness import HEADS, Array, B, S, case, dims, f, i


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    return np.einsum("...i,oi->...o", x, weight) + (0 if bias is None else bias)


def _tap(x: Array, offset: tuple[int, ...], step: tuple[int, ...], size: tuple[int, ...]) -> Array:
    cut = [slice(o, o + s * (m - 1) + 1, s) for o, s, m in zip(offset, step, size, strict=True)]
    return x[(slice(None), slice(None), *cut)]


def _by_channel(bias: Array | None, rank: int) -> Any:
    return 0 if bias is None else bias.reshape(-1, *[1] * (rank - 2))


def conv(op: Conv) -> Any:
    stride, dilation, groups = tuple(map(int, op.stride)), tuple(map(int, op.dilation)), int(op.groups)

    def reference(x: Array, weight: Array, bias: Array | None = None) -> Array:
        x = np.pad(x, [(0, 0), (0, 0), *((int(a), int(z)) for a, z in op.padding)])
        kernel = weight.shape[2:]
        axes = zip(x.shape[2:], kernel, stride, dilation, strict=True)
        size = tuple((s - d * (k - 1) - 1) // t + 1 for s, k, t, d in axes)
        out = np.zeros((x.shape[0], groups, weight.shape[0] // groups, *size))
        split = weight.reshape(groups, -1, *weight.shape[1:])
        for at in product(*map(range, kernel)):
            offset = tuple(p * d for p, d in zip(at, dilation, strict=True))
            tap = _tap(x, offset, stride, size).reshape(x.shape[0], groups, -1, *size)
            out += np.einsum("bgi...,goi->bgo...", tap, split[(..., *at)])
        return out.reshape(x.shape[0], -1, *size) + _by_channel(bias, x.ndim)

    return reference


def conv_transpose(op: ConvTranspose) -> Any:
    stride, dilation, groups = tuple(map(int, op.stride)), tuple(map(int, op.dilation)), int(op.groups)

    def reference(x: Array, weight: Array, bias: Array | None = None) -> Array:
        size, kernel = x.shape[2:], weight.shape[2:]
        axes = zip(size, kernel, stride, dilation, op.output_padding, strict=True)
        full = tuple((s - 1) * t + d * (k - 1) + 1 + int(o) for s, k, t, d, o in axes)
        out = np.zeros((x.shape[0], weight.shape[1] * groups, *full))
        split = x.reshape(x.shape[0], groups, -1, *size)
        parts = weight.reshape(groups, -1, *weight.shape[1:])
        for at in product(*map(range, kernel)):
            offset = tuple(p * d for p, d in zip(at, dilation, strict=True))
            put = np.einsum("bgi...,gio->bgo...", split, parts[(..., *at)])
            _tap(out, offset, stride, size)[...] += put.reshape(x.shape[0], -1, *size)
        kept = [slice(int(p), s - int(p)) for p, s in zip(op.padding, full, strict=True)]
        return out[(slice(None), slice(None), *kept)] + _by_channel(bias, x.ndim)

    return reference


def pads(*sides: int) -> tuple[tuple[n.Num, n.Num], ...]:
    return tuple((n.num(a), n.num(z)) for a, z in zip(sides[::2], sides[1::2], strict=True))


PLAIN = Conv(dims(1), pads(0, 0), dims(1), n.num(1))
SAME = Conv(dims(1, 1), pads(1, 1, 1, 1), dims(1, 1), n.num(1))
STRIDED = Conv(dims(2, 1), pads(0, 0, 1, 1), dims(1, 2), n.num(2))
OWN = Conv(dims(1), pads(0, 0), dims(1), n.num(4))
CAUSAL = Conv(dims(1), pads(4, 0), dims(2), n.num(4))
UNEVEN = Conv(dims(1, 2), pads(0, 1, 2, 0), dims(1, 1), HEADS)
SOLID = Conv(dims(1, 1, 2), pads(1, 1, 0, 0, 0, 0), dims(1, 1, 1), n.num(1))
UP = ConvTranspose(dims(2), dims(0), dims(0), dims(1), n.num(1))
UP_ODD = ConvTranspose(dims(2, 2), dims(1, 0), dims(1, 0), dims(1, 2), n.num(2))

CASES = [
    case(Linear(), f(B, S, 3), f(4, 3), of=linear),
    case(Linear(), f(B, 3), f(4, 3), f(4), of=linear),
    case(Linear(), f(3), f(4, 3), None, of=linear),
    case(Linear(), f(B, 3, dtype="float32"), f(4, 3), f(4), of=linear),
    case(Linear(), f(B, 3), f(4, 3, dtype="float32"), of=linear),
    case(Matmul(), f(B, 3), f(3, S), of=np.matmul),
    case(Matmul(), f(B, 1, S, 3), f(HEADS, 3, S), of=np.matmul),
    case(Matmul(), f(B, 3, dtype="float32"), f(3, 4), of=np.matmul),
    case(Matmul(), i(5, B, 3), i(5, 3, 2), of=np.matmul),
    case(Einsum("bqd,bkd->bqk"), f(B, 3, 4), f(B, S, 4), of=lambda *x: np.einsum("bqd,bkd->bqk", *x)),
    case(Einsum("bij -> ji"), f(B, 3, 4), of=lambda x: x.sum(0).T),
    case(Einsum("i, j -> ij"), f(B), f(S, dtype="float32"), of=np.outer),
    case(PLAIN, f(B, 3, S), f(4, 3, 2), of=conv(PLAIN)),
    case(SAME, f(B, 3, 4, S), f(2, 3, 3, 3), f(2), of=conv(SAME)),
    case(STRIDED, f(B, 4, 7, 6), f(6, 2, 3, 2), None, of=conv(STRIDED)),
    case(CAUSAL, f(B, 4, S), f(4, 1, 3), f(4), of=conv(CAUSAL)),
    case(OWN, f(B, 4, S), f(4, 1, 3), f(4), of=conv(OWN)),
    case(OWN, f(B, 4, S), f(4, 1, 2), of=conv(OWN)),
    case(UNEVEN, f(B, 4, 5, 4), f(8, 1, 2, 3), of=conv(UNEVEN)),
    case(SOLID, f(B, 2, 3, 4, 5), f(3, 2, 3, 1, 2), f(3), of=conv(SOLID)),
    case(UP, f(B, 3, S), f(3, 2, 3), f(2), of=conv_transpose(UP)),
    case(UP_ODD, f(B, 4, 3, 4), f(4, 3, 3, 2), of=conv_transpose(UP_ODD)),
]
