"""Folding axes."""

# A reference is a lambda over arrays of any kind.
# pyright: reportUnknownLambdaType=false

from typing import Any

import numpy as np

from archspec.dims import num as n
from archspec.ir.ops.reduce import ArgReduce, Cumulate, LogSumExp, Reduce, Softmax, TopK
from tests.backends.torch.ops.harness import HEADS, Array, B, Case, Operand, S, b, case, f, i

FOLDS: dict[str, Any] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "var": np.var,
}
WHOLE = ("sum", "max", "min", "prod")
LOGIC = {"any": np.any, "all": np.all}


def reduce(fn: str, x: Operand, *axes: int, keep: bool = False) -> Case:
    def reference(a: Array) -> Array:
        return np.asarray((FOLDS | LOGIC)[fn](a, axis=axes, keepdims=keep))

    return case(Reduce(fn, axes, keep), x, of=reference)


def softmax(x: Array, axis: int = -1) -> Array:
    raised = np.exp(x - x.max(axis, keepdims=True))
    return raised / raised.sum(axis, keepdims=True)


def top(k: int) -> Any:
    def reference(x: Array) -> list[Array]:
        order = np.argsort(-x, axis=-1, kind="stable")[..., :k]
        return [np.take_along_axis(x, order, -1), order]

    return reference


def logsumexp(x: Array, axis: int) -> Array:
    return np.log(np.exp(x).sum(axis))


CASES = [
    *(reduce(fn, f(B, 3, 4), -1) for fn in FOLDS),
    *(reduce(fn, f(B, 3, 4), 1, 2, keep=True) for fn in FOLDS),
    *(reduce(fn, f(B, 3), 0, 1) for fn in FOLDS),
    *(reduce(fn, f(B, 3, 4, 2), 2, -4) for fn in FOLDS),
    *(reduce(fn, f(B, 3), 0, 1, keep=True) for fn in FOLDS),
    *(reduce(fn, i(5, B, 3), 1) for fn in WHOLE),
    *(reduce(fn, i(3, B, 3, dtype="int32"), 0, 1) for fn in WHOLE),
    *(reduce(fn, i(3, B, 3, dtype="uint8"), 0, keep=True) for fn in WHOLE),
    *(reduce(fn, b(B, 3, S), *axes) for fn in LOGIC for axes in ((-1,), (0, 1), (0, 1, 2))),
    reduce("mean", f(B, 3, dtype="float32")),
    reduce("var", f(B, 3)),
    *(
        case(ArgReduce(fn, 1), i(3, B, S, 2), of=of)
        for fn, of in (("max", lambda x: x.argmax(1)), ("min", lambda x: x.argmin(1)))
    ),
    case(ArgReduce("max", -1), b(B, S), of=lambda x: x.argmax(-1)),
    case(ArgReduce("min", 0), f(S), of=lambda x: x.argmin(0)),
    case(Cumulate("sum", -1), f(B, S), of=lambda x: x.cumsum(-1)),
    case(Cumulate("prod", 0), f(S, 3), of=lambda x: x.cumprod(0)),
    case(Cumulate("max", -1), f(B, S), of=lambda x: np.maximum.accumulate(x, -1)),
    case(Cumulate("sum", 1), b(B, S), of=lambda x: x.cumsum(1)),
    case(Cumulate("sum", 0), i(9, S, dtype="int32"), of=lambda x: x.cumsum(0)),
    case(Cumulate("prod", 0), i(3, S), of=lambda x: x.cumprod(0)),
    case(TopK(n.num(2)), f(B, 3, dtype="float32"), of=top(2)),
    case(TopK(HEADS), f(B, S, 6, dtype="float32"), of=top(4)),
    case(Softmax(), f(B, S), of=softmax),
    case(Softmax(1), f(B, S, 3), of=lambda x: softmax(x, 1)),
    case(Softmax(dtype="float"), f(B, S), of=softmax),
    case(Softmax(), f(B, S, dtype="float32"), of=softmax),
    case(Softmax(), f(B, S, dtype="bfloat16"), of=softmax),
    case(LogSumExp(), f(B, S), of=lambda x: logsumexp(x, -1)),
    case(LogSumExp(1), f(B, S, 3, dtype="float32"), of=lambda x: logsumexp(x, 1)),
]
