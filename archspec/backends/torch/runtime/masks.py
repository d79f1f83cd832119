"""Joining a mask and a score bias."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_bias(bias: Tensor, mask: Tensor | None) -> Tensor:
    """The bias, and the least number of its dtype where the mask is false."""
    return bias if mask is None else bias.masked_fill(~mask, torch.finfo(bias.dtype).min)
