"""Moving elements."""

# A reference is a lambda over arrays of any kind.
# pyright: reportUnknownLambdaType=false

from collections.abc import Callable

import numpy as np

from archspec.dims import num as n
from archspec.ir.ops.shape import (
    Concat,
    Expand,
    Flip,
    Gather,
    Pad,
    Permute,
    Reshape,
    Roll,
    Scatter,
    Slice,
    Split,
    Take,
)
from tests.backends.torch.ops.harness import (
    HEAD_DIM,
    HEADS,
    ONE,
    Array,
    B,
    Case,
    Operand,
    S,
    b,
    case,
    concrete,
    dims,
    f,
    i,
)

ZERO = n.num(0)
WIDTH = HEADS * HEAD_DIM


def reshape(x: Operand, *shape: n.Num | int) -> Case:
    return case(Reshape(dims(*shape)), x, of=lambda a: a.reshape(concrete(dims(*shape))))


def permute(x: Operand, *axes: int) -> Case:
    return case(Permute(axes), x, of=lambda a: a.transpose(axes))


def expand(x: Operand, *shape: n.Num | int) -> Case:
    return case(Expand(dims(*shape)), x, of=lambda a: np.broadcast_to(a, concrete(dims(*shape))))


def scattered(axis: int, size: int) -> Callable[[Array, Array], Array]:
    def reference(x: Array, index: Array) -> Array:
        shape = list(x.shape)
        shape[axis] = size
        out = np.zeros(shape, x.dtype)
        for place in np.ndindex(*x.shape):
            to = list(place)
            to[axis] = int(index[place])
            out[tuple(to)] += x[place]
        return out

    return reference


def pad(x: Operand, axis: int, before: int, after: int, value: float = 0) -> Case:
    def reference(a: Array) -> Array:
        widths = [(before, after) if k == axis % a.ndim else (0, 0) for k in range(a.ndim)]
        return np.pad(a, widths, constant_values=value)

    return case(Pad(axis, n.num(before), n.num(after), n.num(value)), x, of=reference)


CASES = [
    reshape(f(B, S, WIDTH), B, S, HEADS, HEAD_DIM),
    reshape(f(B, S, HEADS, HEAD_DIM), B, S, WIDTH),
    reshape(f(B, S, WIDTH), B, S, 2, HEADS // 2, HEAD_DIM),
    reshape(f(B, S, 3), B * S, 3),
    reshape(f(B * S, 3), B, S, 3),
    reshape(f(B, S), B, 1, 1, S),
    reshape(f(B, S), 1, B, S, 1),
    reshape(f(B, S, 3), B, S, 3, 1),
    reshape(f(B, S, 3), B, S, 1, 3),
    reshape(f(B, S, 3), B, S, 1, 3, 1),
    reshape(f(B, 1, S, 1), B, S),
    reshape(f(B, 1, S), B, S),
    reshape(f(1, S), S, 1),
    reshape(f(), 1, 1),
    reshape(f(1), *()),
    reshape(f(1, 1), *()),
    reshape(f(B, S), B, S),
    reshape(f(B, S, 4), B * S * 4),
    reshape(f(B, 8, S), B, 2, 4, S),
    reshape(f(B, 6, 4), B, 2, 3, 2, 2),
    reshape(f(B, S, 6), S, B, 6),
    reshape(f(B, ONE, 6), B, 6),
    reshape(f(B, 6), B, ONE, 6),
    reshape(f(B, ONE, ONE, 6), B, ONE, 6),
    permute(f(B, 3), 1, 0),
    permute(f(B, S, HEADS, HEAD_DIM), 0, 2, 1, 3),
    permute(f(B, S, HEADS, HEAD_DIM), 0, 1, 3, 2),
    permute(f(B, S, HEADS), 0, 2, 1),
    permute(f(B, 3, 4, 5), 0, 2, 3, 1),
    permute(f(B, 3), 0, 1),
    expand(f(B, 1, 3), B, S, 3),
    expand(f(3), B, S, 3),
    expand(f(B, ONE, 3), B, ONE, 3),
    expand(f(B, 1, 3), B, ONE, 3),
    expand(f(1), S * 2),
    expand(f(), 2, HEADS),
    case(Slice(1, ZERO, n.num(-1)), f(B, S), of=lambda x: x[:, :-1]),
    case(Slice(1, n.num(1)), f(B, S, 3), of=lambda x: x[:, 1:]),
    case(Slice(-1, n.num(1), n.num(3)), f(B, S, 4), of=lambda x: x[..., 1:3]),
    case(Slice(0, n.num(-1)), f(S), of=lambda x: x[-1:]),
    case(Slice(0, ZERO, B), f(4, 3), of=lambda x: x[:2]),
    case(Slice(1, S - 4, S - 1), f(B, S, 3, 2), of=lambda x: x[:, 1:4]),
    case(Slice(1, ZERO, S), f(B, S), of=lambda x: x),
    case(Slice(1, ZERO, HEADS), f(B, 4), of=lambda x: x),
    case(Concat(1), f(B, S), f(B, 3), of=lambda *x: np.concatenate(x, 1)),
    case(Concat(-1), f(B, S, 1), f(B, S, 2), f(B, S, 3), of=lambda *x: np.concatenate(x, 2)),
    case(Concat(0), f(B, S), of=lambda x: x),
    case(Concat(0), b(B), b(S), of=lambda *x: np.concatenate(x)),
    case(Split(-1, (WIDTH,) * 3), f(B, S, 36), of=lambda x: np.split(x, 3, -1)),
    case(Split(1, dims(1, 2, 3)), f(B, 6, S), of=lambda x: np.split(x, [1, 3], 1)),
    case(Split(-1, (HEADS, n.num(4))), f(B, 8), of=lambda x: np.split(x, 2, -1)),
    case(Split(0, (B,)), f(B, 8), of=lambda x: x),
    pad(f(B, S), -1, 1, 2),
    pad(f(B, S, 3), 1, 2, 0, -0.5),
    pad(f(B, S), 0, 0, 0),
    pad(i(9, B, S), 1, 0, 3, 7),
    pad(b(B, S), 0, 1, 1, 1),
    case(Gather(), f(9, 3), i(9, B, S), of=lambda x, k: x[k]),
    case(Gather(), f(9, 3), i(9, B, S, dtype="int32"), of=lambda x, k: x[k]),
    case(Gather(), f(9, 3), i(9, B, S, dtype="uint8"), of=lambda x, k: x[k]),
    case(Gather(), f(9, 3), i(9), of=lambda x, k: x[k]),
    case(Gather(), f(9), i(9, B, S), of=lambda x, k: x[k]),
    case(Gather(), i(5, 9, 3), i(9, S), of=lambda x, k: x[k]),
    case(Gather(1), f(B, 9, 3), i(9, 4, dtype="int8"), of=lambda x, k: x[:, k]),
    case(Gather(-1), f(B, S, 9), i(9, 2, 2), of=lambda x, k: x[..., k]),
    case(Take(-1), f(B, 9), i(9, B, 3), of=lambda x, k: np.take_along_axis(x, k, -1)),
    case(Take(1), f(B, 9, 2), i(9, B, 3, 2, dtype="uint8"), of=lambda x, k: np.take_along_axis(x, k, 1)),
    case(Take(0), f(9, 2), i(9, 3, 2, dtype="int32"), of=lambda x, k: np.take_along_axis(x, k, 0)),
    case(Scatter(-1, n.num(5)), f(B, 3), i(5, B, 3), of=scattered(-1, 5)),
    case(Scatter(1, n.num(4)), f(B, 3, 2), i(4, B, 3, 2, dtype="uint8"), of=scattered(1, 4)),
    case(Scatter(0, n.num(6)), i(9, 3, 2), i(6, 3, 2, dtype="int32"), of=scattered(0, 6)),
    case(Flip(1), f(B, S, 3), of=lambda x: x[:, ::-1]),
    case(Flip(-1), f(S), of=lambda x: x[::-1]),
    case(Roll(1, n.num(2)), f(B, S, 3), of=lambda x: np.roll(x, 2, 1)),
    case(Roll(-1, -B), f(B, S), of=lambda x: np.roll(x, -2, 1)),
]
