"""Rotary position embedding (Su et al. 2021)."""

import torch
from torch import Tensor


def rope_frequencies(dim: int, theta: float, device: torch.device | None = None) -> Tensor:
    """theta^(-2i / dim) radians per position, i < dim / 2: [dim / 2], fp32."""
    exponent = torch.arange(0, dim, 2, device=device).float() / dim
    return 1.0 / theta**exponent


def rope_table(positions: Tensor, frequencies: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """cos and sin of position * frequency, times scale: [..., S], [F] -> two [..., S, F], fp32."""
    angles = positions[..., None].float() * frequencies.float()
    cos, sin = angles.cos(), angles.sin()
    return (cos, sin) if scale == 1.0 else (cos * scale, sin * scale)


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
