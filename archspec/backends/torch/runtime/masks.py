"""Joining a mask, a score bias, and scores of nothing."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_bias(bias: Tensor, mask: Tensor | None) -> Tensor:
    """The bias, and the least number of its dtype where the mask is false."""
    return bias if mask is None else bias.masked_fill(~mask, torch.finfo(bias.dtype).min)


def sink_bias(sinks: Tensor, mask: Tensor | None, keys: int) -> Tensor:
    """[B or 1, H, Q, keys + 1]: what a mask or bias adds to the scores, and after it each head's sink [H]."""
    bias = sinks.new_zeros(1, len(sinks), 1, keys)
    if mask is not None:
        bias = masked_bias(bias, mask) if mask.dtype == torch.bool else bias + mask
    return torch.cat((bias, sinks[:, None, None].expand(*bias.shape[:-1], 1)), -1)
