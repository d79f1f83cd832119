"""Fixed positions."""

import torch
from torch import Tensor


def sinusoids(length: int, width: int, theta: float, steps: float) -> Tensor:
    """Sines, then cosines, of position * theta^(-j / steps), j < width / 2: [length, width], fp32."""
    rates = theta ** (-torch.arange(width // 2, dtype=torch.float64) / steps)
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()
