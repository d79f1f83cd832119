"""Rotary position embedding (Su et al. 2021)."""

import torch
from torch import Tensor


def rope_frequencies(dim: int, theta: float, device: torch.device | None = None) -> Tensor:
    """theta^(-2i / dim) radians per position, i < dim / 2: [dim / 2], fp32."""
    exponent = torch.arange(0, dim, 2, device=device).float() / dim
    return 1.0 / theta**exponent


def rope_table(positions: Tensor, frequencies: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """cos and sin of position * frequency, times scale: [..., S], [F] -> two [..., S, F], fp32."""
    return rope_waves(positions[..., None].float() * frequencies.float(), scale)


def rope_waves(angles: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """cos and sin of angles, times scale: [..., S, F] -> two [..., S, F], fp32."""
    cos, sin = angles.cos().float(), angles.sin().float()
    return (cos, sin) if scale == 1.0 else (cos * scale, sin * scale)


def turned(a: Tensor, b: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """a cos - b sin and b cos + a sin: pairs of [B, H, S, F] by angles [(B,) S, F], one for all heads."""
    cos, sin = cos.unsqueeze(-3), sin.unsqueeze(-3)
    return torch.addcmul(a * cos, b, sin, value=-1), torch.addcmul(b * cos, a, sin)


def apply_rope_half(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn feature pairs (i, i + dim / 2) of x [B, H, S, E]; cos, sin [(B,) S, dim / 2]; the rest stays."""
    half = cos.shape[-1]
    pairs = turned(x[..., :half], x[..., half : 2 * half], cos, sin)
    rest = [x[..., 2 * half :]] if x.shape[-1] > 2 * half else []
    return torch.cat([*pairs, *rest], dim=-1).to(x.dtype)


def apply_rope_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn feature pairs (2i, 2i + 1) of x [B, H, S, E]; cos, sin [(B,) S, dim / 2]; the rest stays."""
    dim = 2 * cos.shape[-1]
    pairs = torch.stack(turned(x[..., :dim:2], x[..., 1:dim:2], cos, sin), dim=-1).flatten(-2)
    return (pairs if x.shape[-1] == dim else torch.cat([pairs, x[..., dim:]], dim=-1)).to(x.dtype)
