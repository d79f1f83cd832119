"""Losses."""

from __future__ import annotations

from typing import Any

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.functions.reduce import softmax
from archspec.backends.torch.fake.functions.training import in_fp32
from archspec.backends.torch.fake.tensor import Tensor, function, made


@function("cross_entropy")
def cross_entropy(x: Tensor, target: Tensor, label_smoothing: float = 0.0, **_: Any) -> Tensor:
    logs = softmax(in_fp32(x), -1)
    weight = made("total_weight", (), (), logs.dtype, differentiable=False)
    saves = [("log_softmax", logs), ("target", target), ("total_weight", weight)]
    return made("nll_loss_forward", (logs, target), (), logs.dtype, saves=saves)


@function("mse_loss", "l1_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits")
def mse_loss(x: Tensor, target: Tensor, **_: Any) -> Tensor:
    x, target = in_fp32(x), in_fp32(target)
    return made(
        "mse_loss",
        (x, target),
        (),
        dtypes.promote(x.dtype, target.dtype),
        saves=[("self", x), ("target", target)],
    )
