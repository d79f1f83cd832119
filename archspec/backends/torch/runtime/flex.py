"""What FlexAttention is handed besides masks, and what it leaves to do."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import AuxOutput


def capped(cap: float, change: Callable[..., Tensor] | None = None) -> Callable[..., Tensor]:
    """Scores between -cap and cap, which `change` changes then."""

    def changed(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        score = cap * torch.tanh(score / cap)
        return score if change is None else change(score, b, h, q, k)

    return changed


def biased(bias: Tensor, change: Callable[..., Tensor] | None = None) -> Callable[..., Tensor]:
    """Scores and an element of `bias`, which broadcasts to [B, H, Q, K]; `change` changes them then."""
    bias = bias[(None,) * (4 - bias.dim())]
    many_b, many_h, many_q, many_k = (int(size > 1) for size in bias.shape)

    def changed(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        score = score + bias[b * many_b, h * many_h, q * many_q, k * many_k]
        return score if change is None else change(score, b, h, q, k)

    return changed


def with_sinks(y: Tensor, aux: AuxOutput, sinks: Tensor) -> Tensor:
    """y [B, H, Q, E] as if each head had one more key of value 0, whose score is its sink [H].

    All other weights shrink by the same factor: l / (l + exp(sink)), l the sum of their exponentials.
    """
    assert aux.lse is not None
    return y * torch.sigmoid(aux.lse - sinks[:, None])[..., None].to(y.dtype)


def no_dropout(p: float) -> None:
    """Raises NotImplementedError where weights of attention would be dropped."""
    if p:
        raise NotImplementedError("FlexAttention drops no weights: set attention dropout to 0, or use sdpa")
