"""A convolution of sequences that decoding runs one place at a time."""

import torch.nn.functional as F
from torch import Tensor


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Each channel of x [B, C, places] by its own filter [C, 1, K]. For one place a dot product is faster."""
    if x.shape[-1] != weight.shape[-1]:
        return F.conv1d(x, weight, bias, groups=weight.shape[0])
    y = (x * weight[:, 0]).sum(-1, keepdim=True)
    return y if bias is None else y + bias[:, None]
