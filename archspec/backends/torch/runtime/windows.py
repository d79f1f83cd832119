"""Attention by blocks of queries, each with the keys that it can reach."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def chosen(where: Tensor) -> Tensor:
    """Indices of what is true, per row: [B, N] -> [B, most of a row]; N stands where a row has fewer."""
    size = where.shape[1]
    most = size if torch.compiler.is_compiling() else int(where.sum(-1).max())
    order = torch.argsort(where.int(), dim=-1, descending=True, stable=True)[:, :most]
    return torch.where(where.gather(1, order), order, size)


def at(table: Tensor, places: Tensor) -> Tensor:
    """table[b, place]: [B, K] and [(B,) N, ., .] -> [B, N, ., .]."""
    if places.dim() == 3:
        return table[:, places]
    return table.gather(1, places.flatten(1)).view(places.shape)


class Windows(NamedTuple):
    """Queries in `blocks` of `size`; block n sees `width` keys from first + n * size on, and the picked.

    `mask` [B or 1, blocks, size, width + picked]: true where a query of a block may look.
    """

    start: int
    queries: int
    keys: int
    first: int
    size: int
    width: int
    blocks: int
    picked: Tensor | None = None
    mask: Tensor | None = None

    def places(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Positions of queries [N, C, 1] and of keys [(B,) N, 1, W], and which of these keys there are."""
        begin = torch.arange(self.blocks, device=device)[:, None] * self.size
        q = begin + torch.arange(self.size, device=device)
        k = begin + self.first + torch.arange(self.width, device=device)
        there = (k >= 0) & (k < self.keys)
        if self.picked is not None:
            far = self.picked[:, None]  # [B, 1, G]
            low = begin + self.first
            beyond = ((far < low) | (far >= low + self.width)) & (far < self.keys)
            k, there = (torch.cat((x.expand(len(far), -1, -1), y.expand(-1, self.blocks, -1)), -1)
                        for x, y in ((k, far), (there, beyond)))  # fmt: skip
        q = (self.start + q.clamp(max=self.queries - 1))[..., None]
        return q, k.clamp(0, self.keys - 1)[..., None, :], there[..., None, :]

    def split(self, q: Tensor) -> Tensor:
        """[B, H, Q, E] -> [B * N, H, C, E]."""
        q = F.pad(q, (0, 0, 0, self.blocks * self.size - self.queries))
        blocks = q.reshape(*q.shape[:2], self.blocks, self.size, q.shape[3])
        return blocks.transpose(1, 2).flatten(0, 1)

    def near(self, x: Tensor) -> Tensor:
        """The keys or values of each block: [B, H, K, E] -> [B * N, H, W, E]."""
        end = self.first + (self.blocks - 1) * self.size + self.width
        x_ = F.pad(x, (0, 0, -self.first, end - self.keys)).unfold(2, self.width, self.size)
        x_ = x_.movedim(2, 1).transpose(-1, -2)  # [B, N, H, W, E]
        if self.picked is not None:
            rows = torch.arange(len(x), device=x.device)[:, None]
            far = x.transpose(1, 2)[rows, self.picked.clamp(max=self.keys - 1)]  # [B, G, H, E]
            far = far.transpose(1, 2)[:, None].expand(-1, self.blocks, -1, -1, -1)
            x_ = torch.cat((x_, far), dim=-2)
        return x_.flatten(0, 1)


def seen(windows: Windows, mask: Tensor) -> Tensor | Windows:
    """The windows with the mask of their places; the mask alone where one block holds all."""
    return mask if windows.width == windows.keys else windows._replace(mask=mask)


def windows_over(
    start: int, queries: int, keys: int, before: int, after: int, picked: Tensor | None = None
) -> Windows:
    """Blocks of `queries` from `start` on that see `before` keys back, `after` ahead, and picked ones [B, G].

    One block where that is about all keys, or where the graph must hold for any length.
    """
    size = min(queries, max(64, (before + after) // 4))
    fixed = torch.compiler.is_compiling() if picked is not None else torch.compiler.is_exporting()
    if fixed or before + size + after >= keys:
        return Windows(start, queries, keys, 0, queries, keys, 1)
    count = -(-queries // size)
    return Windows(start, queries, keys, start - before, size, before + size + after, count, picked)


def window_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | Windows | None, **options: Any
) -> Tensor:
    """F.scaled_dot_product_attention, block by block where the mask is in blocks."""
    if not isinstance(mask, Windows):
        return F.scaled_dot_product_attention(q, k, v, mask, **options)
    assert mask.mask is not None
    seen = mask.mask.expand(len(q), -1, -1, -1).flatten(0, 1)[:, None]
    y = F.scaled_dot_product_attention(mask.split(q), mask.near(k), mask.near(v), seen, **options)
    blocks = y.reshape(len(q), -1, *y.shape[1:])  # [B, N, H, C, E]
    return blocks.transpose(1, 2).flatten(2, 3)[:, :, : q.shape[2]]


def chosen_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, where: Tensor, **options: Any
) -> Tensor:
    """F.scaled_dot_product_attention of the queries where `where` [B, Q] is true; zero for the others."""
    if torch.compiler.is_compiling():  # how many there are is known only when it runs
        return F.scaled_dot_product_attention(q, k, v, mask, **options)
    rows = chosen(where).clamp(max=q.shape[2] - 1)[:, None, :, None]
    some = q.gather(2, rows.expand(-1, q.shape[1], -1, q.shape[3]))
    some = F.scaled_dot_product_attention(some, k, v, mask, **options)
    rows = rows.expand(-1, q.shape[1], -1, some.shape[3])
    return q.new_zeros(*q.shape[:3], v.shape[3]).scatter(2, rows, some)
