"""Tensors from nothing, and casts."""

# A reference is a lambda over arrays of any kind.
# pyright: reportUnknownLambdaType=false

import numpy as np

from archspec.dims import num as n
from archspec.ir.ops.source import Cast, Full, Iota, Otherwise, Random
from tests.backends.torch.ops.harness import HEADS, RATE, B, S, case, dims, f, i

ZERO = n.num(0)
CASES = [
    case(Iota(S, ZERO), of=lambda: np.arange(5)),
    case(Iota(S, B), of=lambda: np.arange(2, 7)),
    case(Iota(S * 2, n.num(3), "int32"), of=lambda: np.arange(3, 13)),
    case(Iota(HEADS, ZERO, "float"), of=lambda: np.arange(4.0)),
    case(Iota(n.num(4.0), n.num(1)), of=lambda: np.arange(1, 5)),
    case(Full(dims(B, S), ZERO), of=lambda: np.zeros((2, 5))),
    case(Full(dims(B, 1), n.num(1), "int64"), of=lambda: np.ones((2, 1), np.int64)),
    case(Full((), n.num(1), "bool"), of=lambda: np.array(True)),
    case(Full((), RATE, "float32"), of=lambda: np.array(0.25)),
    case(Full(dims(S), n.num(-0.5)), of=lambda: np.full((5,), -0.5)),
    case(Random(dims(B, S)), of=None),
    case(Random((), "uniform"), of=None),
    case(Otherwise(), f(B, 3), f(B, 3), of=lambda x, y: x),
    case(Otherwise(), None, f(B, 3), of=lambda x, y: y),
    case(Cast("float32"), f(B, 3), of=lambda x: x),
    case(Cast("float"), f(B, 3), of=lambda x: x),
    case(Cast("float"), i(9, B, 3), of=lambda x: x.astype(float)),
    case(Cast("float"), f(B, 3, dtype="float32", low=1, high=1.5), of=lambda x: x),
    case(Cast("bool"), i(2, B, 3), of=lambda x: x != 0),
    case(Cast("int64"), f(B, 3), of=np.trunc),
    case(Cast("int32"), i(9, B, 3), of=lambda x: x),
    case(Cast("bfloat16"), f(B, 3), of=lambda x: x),
]
