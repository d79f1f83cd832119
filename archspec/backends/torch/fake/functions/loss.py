"""Losses."""

from __future__ import annotations

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.functions.pointwise import absolute, elementwise, sub
from archspec.backends.torch.fake.functions.reduce import mean, softmax
from archspec.backends.torch.fake.functions.training import in_fp32
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.tensor import Tensor


@function("cross_entropy")
def cross_entropy(x: Tensor, target: Tensor, ignore_index: int = -100) -> Tensor:
    logs = softmax(in_fp32(x), -1)
    weight = made("total_weight", (), (), logs.dtype, differentiable=False)
    saves = [("log_softmax", logs), ("target", target), ("total_weight", weight)]
    return made("nll_loss_forward", (logs, target), (), logs.dtype, saves=saves)


@function("mse_loss")
def mse_loss(x: Tensor, target: Tensor) -> Tensor:
    x, target = in_fp32(x), in_fp32(target)
    elementwise("squares", (x.detach(), target.detach()))
    saves, dtype = [("self", x), ("target", target)], dtypes.promote(x.dtype, target.dtype)
    return made("mse_loss", (x, target), (), dtype, saves=saves)


@function("l1_loss")
def l1_loss(x: Tensor, target: Tensor) -> Tensor:
    difference = sub(in_fp32(x), in_fp32(target))
    sizes = absolute(difference)
    return mean(sizes)
