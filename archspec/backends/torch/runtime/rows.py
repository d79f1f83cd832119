"""A forward method that mixes no rows, on some rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def by_rows(forward: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """A forward method [.., D] -> [.., E] that treats each row alone, on up to 2^20 / D rows at a time.

    On a CPU, without gradients: what is wider than x inside then lies in memory that is used again, where a
    whole one is fetched from the system at every call. Hooks inside see some rows at a time. Where x is
    wide, so few rows would come to each reading of the weights that it is taken whole.
    """

    @wraps(forward)
    def some_at_a_time(self: Any, x: Tensor) -> Tensor:
        pieces = -(-x.numel() // 2**20)
        whole = torch.is_grad_enabled() or torch.compiler.is_compiling() or x.device.type != "cpu"
        if whole or pieces < 2 or x.shape[-1] > 1024:
            return forward(self, x)
        flat, y = x.flatten(0, -2), None
        size = -(-len(flat) // pieces)
        for start in range(0, len(flat), size):
            some = forward(self, flat[start : start + size])
            y = some.new_empty(len(flat), some.shape[-1]) if y is None else y
            y[start : start + size] = some
        assert y is not None, "no rows"
        return y.view(*x.shape[:-1], y.shape[-1])

    return some_at_a_time
