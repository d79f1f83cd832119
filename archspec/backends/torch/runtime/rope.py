"""Rotary position embedding (Su et al. 2021)."""

import torch
from torch import Tensor


def rope_table(positions: Tensor, dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Angles position * theta^(-2i / dim), i < dim / 2: [..., S] -> cos, sin [..., S, dim / 2], fp32."""
    exponent = torch.arange(0, dim, 2, device=positions.device).float() / dim
    angles = positions[..., None].float() * (1.0 / theta**exponent)
    return angles.cos(), angles.sin()


def apply_rope_half(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn feature pairs (i, i + dim / 2) of x [B, H, S, E]; cos, sin [(B,) S, dim / 2]; the rest stays."""
    half = cos.shape[-1]
    cos, sin = cos.unsqueeze(-3), sin.unsqueeze(-3)  # one for all heads
    a, b, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], dim=-1).to(x.dtype)


def apply_rope_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn feature pairs (2i, 2i + 1) of x [B, H, S, E]; cos, sin [(B,) S, dim / 2]; the rest stays."""
    dim = 2 * cos.shape[-1]
    cos, sin = cos.unsqueeze(-3), sin.unsqueeze(-3)  # one for all heads
    a, b = x[..., :dim:2], x[..., 1:dim:2]
    turned = torch.stack([a * cos - b * sin, b * cos + a * sin], dim=-1).flatten(-2)
    return torch.cat([turned, x[..., dim:]], dim=-1).to(x.dtype)
