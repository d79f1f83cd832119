"""Root-mean-square norms that differ in where fp32 ends, and batch norm over any grid."""

import torch.nn.functional as F
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / rms(x) in fp32, then times weight in x's dtype."""
    return F.rms_norm(x.float(), x.shape[-1:], eps=eps).to(x.dtype) * weight


def rms_norm_fp32(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / rms(x) * weight in fp32, then in x's dtype."""
    return F.rms_norm(x.float(), x.shape[-1:], weight, eps).to(x.dtype)


def batch_norm(
    x: Tensor, mean: Tensor, var: Tensor, batches: Tensor, weight: Tensor | None, bias: Tensor | None,
    training: bool, momentum: float, eps: float,
) -> Tensor:  # fmt: skip
    """In training by the batch's own statistics, which move `mean` and `var` and count in `batches`."""
    if training:
        batches.add_(1)
    return F.batch_norm(x, mean, var, weight, bias, training, momentum, eps)
