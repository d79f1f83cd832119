"""Operands of a case: random, laid out as projections leave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.cases import LENGTHS, Case, Table

SEED = 0


@dataclass(frozen=True, slots=True)
class Operands:
    """q [B, H, Q, E], k [B, G, K, E], v [B, G, K, W], what rule and score look up, and a sink a head."""

    q: Tensor
    k: Tensor
    v: Tensor
    tables: dict[str, Tensor]
    sinks: Tensor | None

    @property
    def floats(self) -> dict[str, Tensor]:
        """What has a gradient. Slopes are constants, as in models."""
        known = {"q": self.q, "k": self.k, "v": self.v, **self.tables}
        known |= {} if self.sinks is None else {"sinks": self.sinks}
        return {word: x for word, x in known.items() if x.is_floating_point() and word != "slopes"}

    def as_leaves(self, dtype: torch.dtype | None = None) -> Operands:
        """The same, to be differentiated; of another type."""

        def leaf(word: str, x: Tensor | None) -> Any:
            if x is None or not x.is_floating_point():
                return x
            return x.detach().to(dtype or x.dtype).requires_grad_(word != "slopes")

        tables = {word: leaf(word, x) for word, x in self.tables.items()}
        q, k, v = (leaf(word, x) for word, x in zip("qkv", (self.q, self.k, self.v), strict=True))
        return Operands(q, k, v, tables, leaf("sinks", self.sinks))


def operands(case: Case, device: torch.device, dtype: torch.dtype) -> Operands:
    """The same for the same case, on the same kind of device."""
    draw = torch.Generator(device).manual_seed(SEED)

    def rows(heads: int, length: int, features: int) -> Tensor:
        made = torch.randn(
            case.B, length, heads, features, device=device, dtype=torch.float32, generator=draw
        )
        return made.to(dtype).transpose(1, 2)

    q, k, v = rows(case.H, case.Q, case.E), rows(case.G, case.K, case.E), rows(case.G, case.K, case.W)
    tables = {word: _table(what, case, draw, dtype) for word, what in case.tables.items()}
    return Operands(
        q, k, v, tables, torch.randn(case.H, device=device, generator=draw) if case.sunk else None
    )


def gradient(case: Case, device: torch.device, dtype: torch.dtype) -> Tensor:
    """What the result [B, H, Q, W] is differentiated with."""
    draw = torch.Generator(device).manual_seed(SEED + 1)
    made = torch.randn(case.B, case.Q, case.H, case.W, device=device, generator=draw)
    return made.to(dtype).transpose(1, 2)


def _table(what: Table, case: Case, draw: torch.Generator, dtype: torch.dtype) -> Tensor:
    sizes = [_length(axis, case) for axis in what.axes]
    made = DRAWN[what.drawn](sizes, draw)
    return _pitched(made.to(dtype) if made.is_floating_point() else made)


def _length(axis: str, case: Case) -> int:
    """Of an axis: a size of the case, or an expression of its numbers."""
    if axis in LENGTHS:
        return getattr(case, LENGTHS[axis])
    return int(eval(axis, {"__builtins__": {}}, dict(case.numbers)))


def _pitched(x: Tensor) -> Tensor:
    """The same with rows 16 elements apart, or a multiple: then no length makes another kernel."""
    if x.dim() < 2:
        return x
    room = -(-x.shape[-1] // 16) * 16
    return x.new_zeros(*x.shape[:-1], room)[..., : x.shape[-1]].copy_(x)


def _slopes(sizes: list[int], draw: torch.Generator) -> Tensor:
    """Press et al. 2021, https://arxiv.org/abs/2108.12409"""
    return torch.exp2(-8.0 * torch.arange(1, sizes[0] + 1, device=draw.device) / sizes[0])


def _normal(sizes: list[int], draw: torch.Generator) -> Tensor:
    return torch.randn(sizes, device=draw.device, generator=draw)


def _tokens(sizes: list[int], draw: torch.Generator) -> Tensor:
    """The first token of each row and about one of 1,024."""
    found = torch.rand(sizes, device=draw.device, generator=draw) < 1 / 1024
    found[..., 0] = True
    return found


def _padding(sizes: list[int], draw: torch.Generator) -> Tensor:
    """Rows that end after a half of their places or later; the first one is whole."""
    rows, length = sizes
    ends = torch.randint(length // 2, length + 1, (rows, 1), device=draw.device, generator=draw)
    ends[0] = length
    return torch.arange(length, device=draw.device) < ends


def _documents(sizes: list[int], draw: torch.Generator) -> Tensor:
    """16 documents in order, of random lengths."""
    return torch.randint(0, 16, sizes, device=draw.device, generator=draw).sort(-1).values


DRAWN = {
    "slopes": _slopes,
    "normal": _normal,
    "tokens": _tokens,
    "padding": _padding,
    "documents": _documents,
}
