"""Root-mean-square norms that differ in where fp32 ends."""

import torch.nn.functional as F
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / rms(x) in fp32, then times weight in x's dtype."""
    return F.rms_norm(x.float(), x.shape[-1:], eps=eps).to(x.dtype) * weight


def rms_norm_fp32(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / rms(x) * weight in fp32, then in x's dtype."""
    return F.rms_norm(x.float(), x.shape[-1:], weight, eps).to(x.dtype)
