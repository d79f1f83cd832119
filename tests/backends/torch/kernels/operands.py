"""Operands of an attention: random, in buffers that are NaN around them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from msgspec import Struct
from torch import Tensor

from tests.backends.torch.kernels.structures import Shape, Structure, Table


class Operands(Struct, frozen=True):
    """Queries, keys, values, the tables that are looked up (None: not given), and sinks."""

    q: Tensor
    k: Tensor
    v: Tensor
    tables: Mapping[str, Tensor | None] = {}
    sinks: Tensor | None = None

    @property
    def floats(self) -> dict[str, Tensor]:
        """What has a gradient."""
        given = {"q": self.q, "k": self.k, "v": self.v, **self.tables, "sinks": self.sinks}
        return {word: x for word, x in given.items() if x is not None and x.is_floating_point()}

    def wide(self) -> Operands:
        """The same in float64."""
        tables = {word: _wide(x) for word, x in self.tables.items()}
        return Operands(self.q.double(), self.k.double(), self.v.double(), tables, _wide(self.sinks))


def _wide(x: Tensor | None) -> Tensor | None:
    return x.double() if x is not None and x.is_floating_point() else x


def operands(given: Structure, dtype: torch.dtype = torch.float32, seed: int = 0) -> Operands:
    torch.manual_seed(seed)
    s = given.shape
    q, k, v = (
        _rows(s.B, heads, length, features, dtype)
        for heads, length, features in ((s.H, s.Q, s.E), (s.G, s.K, s.E), (s.G, s.K, s.W))
    )
    tables = {word: _table(what, s, dtype) for word, what in given.tables.items()}
    return Operands(q, k, v, tables, torch.randn(s.H) if given.sunk else None)


def _rows(batch: int, heads: int, length: int, features: int, dtype: torch.dtype) -> Tensor:
    """[batch, heads, length, features] as projections leave them: heads beside features."""
    around = torch.full((batch, length + 3, heads, features + 5), math.nan, dtype=dtype)
    inside = around[:, :length, :, :features].transpose(1, 2)
    return inside.copy_(torch.randn(inside.shape))


def _table(what: Table, shape: Shape, dtype: torch.dtype) -> Tensor | None:
    lengths = {"b": shape.B, "h": shape.H, "q": shape.Q + max(shape.start, 0), "k": shape.K}
    sizes = [x if isinstance(x, int) else lengths[x] for x in what.axes]
    if what.absent:
        return None
    if what.kind == "float":
        return torch.randn(sizes).to(dtype)
    if what.kind == "bool":
        return torch.rand(sizes) < 0.6
    return torch.randint(0, what.most, sizes).sort(-1).values
