"""What decoding keeps between steps."""

from __future__ import annotations

from torch import Tensor


class KVCache:
    """Keys and values of one attention layer, [B, H, T, E], written in place up to `capacity` tokens."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self.kept: tuple[Tensor, ...] = ()

    def append(self, *parts: Tensor) -> tuple[Tensor, ...]:
        start, end = self.length, self.length + parts[0].shape[2]
        if end > self.capacity:
            raise ValueError(f"the cache holds {self.capacity} tokens, not {end}")
        if not self.kept:
            self.kept = tuple(p.new_empty(*p.shape[:2], self.capacity, *p.shape[3:]) for p in parts)
        for kept, part in zip(self.kept, parts, strict=True):
            kept[:, :, start:end] = part
        self.length = end
        return tuple(kept[:, :, :end] for kept in self.kept)


class Held:
    """Tensors that are computed at the first step of decoding and read at every later one."""

    def __init__(self) -> None:
        self.kept: tuple[Tensor, ...] = ()

    def keep(self, *parts: Tensor) -> None:
        self.kept = parts


class Carried:
    """What each step of decoding leaves to the next: the last of a recurrence, or of what a filter reads."""

    def __init__(self) -> None:
        self.length = 0
        self.kept: Tensor | None = None

    def keep(self, x: Tensor, tokens: int) -> None:
        """Leave a copy of x to the next step, which begins `tokens` later."""
        self.kept = x.clone()
        self.length += tokens
