"""Losses, by their definitions."""

# A reference is a lambda over arrays of any kind.
# pyright: reportUnknownLambdaType=false

from typing import Any

import numpy as np

from archspec.dims import num as n
from archspec.ir.ops.loss import CrossEntropy, MeanError
from tests.backends.torch.ops.harness import RATE, Array, B, S, case, f, i


def cross_entropy(ignore: int = -100, smoothing: float = 0.0) -> Any:
    def reference(logits: Array, target: Array) -> Array:
        log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        wanted = np.eye(logits.shape[-1])[np.where(target == ignore, 0, target)]
        wanted = wanted * (1 - smoothing) + smoothing / logits.shape[-1]
        kept = target != ignore
        return -(wanted * log).sum(-1)[kept].sum() / kept.sum()

    return reference


NONE, PLAIN = n.num(-100), n.num(0.0)
CASES = [
    case(CrossEntropy(NONE, PLAIN), f(B, S, 7), i(7, B, S), of=cross_entropy()),
    case(CrossEntropy(n.num(0), PLAIN), f(B, S, 7), i(7, B, S), of=cross_entropy(ignore=0)),
    case(CrossEntropy(NONE, RATE), f(S, 7), i(7, S, dtype="int32"), of=cross_entropy(smoothing=0.25)),
    case(CrossEntropy(NONE, PLAIN), f(7, dtype="float32"), i(7), of=cross_entropy()),
    case(CrossEntropy(NONE, PLAIN), f(B, 3, S, 7), i(7, B, 3, S), of=cross_entropy()),
    case(MeanError("mse"), f(B, S), f(B, S), of=lambda x, y: ((x - y) ** 2).mean()),
    case(MeanError("mae"), f(B, S, dtype="float32"), f(B, S), of=lambda x, y: abs(x - y).mean()),
    case(MeanError("mse"), f(B, S), f(S), of=lambda x, y: ((x - y) ** 2).mean()),
    case(MeanError("mse"), f(B, 1), f(B, S), of=lambda x, y: ((x - y) ** 2).mean()),
    case(MeanError("mae"), f(B, 1), i(3, S), of=lambda x, y: abs(x - y).mean()),
]
