"""Inputs for a run that is measured: of given shapes, with numbers that mean nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def inputs(
    shapes: Mapping[str, tuple[Sequence[int], str]], limits: Mapping[str, int], device: torch.device
) -> dict[str, Tensor]:
    """The same each time: normal numbers, integers below a limit (2 if none is given), true."""
    random = torch.Generator().manual_seed(0)
    return {
        name: _drawn(list(shape), getattr(torch, dtype), limits.get(name, 2), random).to(device)
        for name, (shape, dtype) in shapes.items()
    }


def _drawn(shape: list[int], dtype: Any, limit: int, random: torch.Generator) -> Tensor:
    if dtype is torch.bool:
        return torch.ones(shape, dtype=dtype)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=random).to(dtype)
    return torch.randint(limit, shape, generator=random, dtype=dtype)
