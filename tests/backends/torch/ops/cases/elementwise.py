"""Element by element."""

# A reference is a lambda over arrays of any kind.
# pyright: reportUnknownLambdaType=false

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from archspec.dims import num as n
from archspec.ir.ops.elementwise import (
    COMPARE,
    FLOAT_MAPS,
    Arith,
    Clamp,
    Compare,
    CompareScalar,
    Dropout,
    Logic,
    Map,
    Scalar,
    StopGradient,
    Where,
)
from tests.backends.torch.ops.harness import HEADS, RATE, Array, B, S, b, case, f, i

Pointwise: TypeAlias = Callable[[Any, Any], Array]

erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(x))


MAPS: dict[str, Callable[[Array], Array]] = {
    "sqrt": np.sqrt,
    "rsqrt": lambda x: x**-0.5,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "erf": erf,
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
    "silu": lambda x: x * sigmoid(x),
    "relu2": lambda x: np.maximum(x, 0) ** 2,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "elu": elu,
    "selu": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "reciprocal": lambda x: 1 / x,
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "relu": lambda x: np.maximum(x, 0),
    "round": np.round,
    "floor": np.floor,
    "ceil": np.ceil,
    "square": np.square,
}
ADDING: dict[str, Pointwise] = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "maximum": np.maximum}
POSITIVE = ("sqrt", "rsqrt", "log", "log1p", "reciprocal")
ARITH: dict[str, Pointwise] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "floordiv": np.floor_divide,
    "mod": np.mod,
    "pow": np.power,
    "minimum": np.minimum,
    "maximum": np.maximum,
}
COMPARISONS: dict[str, Pointwise] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
# Two operands that no rounding of a quotient moves across a whole number.
FLOATS = (f(B, 3, low=4.25, high=5.75), f(B, 3, low=2.125, high=2.5))
WHOLE = (i(9, B, S, low=-9), i(5, S, low=1))


CASES = [
    *(case(Map(fn), f(B, 3, low=0.25 if fn in POSITIVE else -4, high=4), of=of) for fn, of in MAPS.items()),
    *(case(Map(fn), i(9, B, 3, low=-9), of=of) for fn, of in MAPS.items() if fn not in FLOAT_MAPS),
    case(Map("not"), b(B, 3), of=np.logical_not),
    *(case(Arith(fn), *FLOATS, of=of) for fn, of in ARITH.items()),
    *(case(Arith(fn), *WHOLE, of=of) for fn, of in ARITH.items() if fn != "pow"),
    case(Arith("pow"), i(5, B, 3), i(3, 3), of=np.power),
    case(Arith("add"), f(B, 1, 3), i(9, S, 1), of=np.add),
    case(Arith("mul"), f(B, 3), f(dtype="float32"), of=np.multiply),
    case(Arith("mul"), i(9, B, 3), f(), of=np.multiply),
    case(Arith("mul"), f(B, 3, dtype="float32"), f(3), of=np.multiply),
    case(Arith("add"), f(B, dtype="float16"), f(B, dtype="bfloat16"), of=np.add),
    case(Arith("add"), i(9, B, dtype="uint8"), i(9, B, dtype="int8"), of=np.add),
    *(
        case(Arith(fn), f(B, 3), b(B, 3), of=lambda x, y, fn=of: fn(x, y.astype(int)))
        for fn, of in ADDING.items()
    ),
    *(
        case(Arith(fn), b(B, 3), i(9, B, 3), of=lambda x, y, fn=of: fn(x.astype(int), y))
        for fn, of in ADDING.items()
    ),
    case(Arith("div"), i(9, dtype="int32"), i(9, B, low=1), of=np.divide),
    *(
        case(Scalar(fn, n.num(2.5)), f(B, 3, low=0.25), of=lambda x, fn=of: fn(x, 2.5))
        for fn, of in ARITH.items()
    ),
    *(case(Scalar(fn, n.num(2)), i(9, B, 3), of=lambda x, fn=of: fn(x, 2)) for fn, of in ARITH.items()),
    *(
        case(Scalar(fn, n.num(2.5), flip=True), f(B, 3, low=1.5), of=lambda x, fn=of: fn(2.5, x))
        for fn, of in ARITH.items()
    ),
    *(
        case(Scalar(fn, n.num(3), flip=True), i(9, B, 3, low=1), of=lambda x, fn=of: fn(3, x))
        for fn, of in ARITH.items()
    ),
    *(case(Scalar(fn, n.num(0.5)), i(9, B, 3), of=lambda x, fn=of: fn(x, 0.5)) for fn, of in ARITH.items()),
    case(Scalar("add", n.num(-1)), f(B, 3), of=lambda x: x - 1),
    case(Scalar("sub", n.num(-1)), f(B, 3), of=lambda x: x + 1),
    case(Scalar("pow", n.num(-1)), f(B, 3, low=0.5), of=lambda x: 1 / x),
    case(Scalar("mul", HEADS**-0.5), f(B, 3), of=lambda x: x / 2),
    case(Scalar("pow", n.num(-2), flip=True), i(5, B, 3), of=lambda x: (-2) ** x),
    case(Scalar("sub", S + 1, flip=True), i(5, B, 3), of=lambda x: 6 - x),
    case(Scalar("mul", n.num(0.5)), i(9), of=lambda x: x / 2),
    *(case(Compare(fn), i(3, B, S), i(3, S), of=of) for fn, of in COMPARISONS.items()),
    case(Compare("lt"), f(B, 1), i(2, B, 3), of=np.less),
    *(
        case(CompareScalar(fn, n.num(1)), i(3, B, S), of=lambda x, fn=of: fn(x, 1))
        for fn, of in COMPARISONS.items()
    ),
    case(CompareScalar("ge", S - 4), f(B, 3), of=lambda x: x >= 1),
    case(Logic("and"), b(B, S), b(S), of=np.logical_and),
    case(Logic("or"), b(B, 1), b(S), of=np.logical_or),
    case(Where(), b(B, 1), f(B, S), f(S), of=np.where),
    case(Where(), b(B, S), i(9, B, S), f(), of=np.where),
    case(Where(), b(B, S), f(B, S), f(S, dtype="float32"), of=np.where),
    case(Clamp(n.num(-0.5), n.num(0.5)), f(B, 3), of=lambda x: np.clip(x, -0.5, 0.5)),
    case(Clamp(n.num(0), None), f(B, 3), of=lambda x: np.maximum(x, 0)),
    case(Clamp(None, S), i(9, B, 3), of=lambda x: np.minimum(x, 5)),
    case(Clamp(n.num(1.5), None), i(9, B, 3), of=lambda x: np.trunc(np.maximum(x, 1.5))),
    case(Clamp(None, None), f(B, 3), of=lambda x: x),
    case(Dropout(RATE), f(B, 3), of=lambda x: x),
    case(Dropout(n.num(0.0)), f(B, 3), of=lambda x: x),
    case(StopGradient(), f(B, 3), of=lambda x: x),
]
assert set(COMPARISONS) == set(COMPARE)
