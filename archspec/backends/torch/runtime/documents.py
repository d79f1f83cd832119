"""Attention of documents that stand one after another in a row, each among its own keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.backends.torch.runtime.windows import Windows, window_attention


class Part(NamedTuple):
    """So many queries that see so many keys: by `mask`, only back where `causal`, or all of them."""

    queries: int
    keys: int
    mask: Tensor | None
    causal: bool


class Documents(NamedTuple):
    """The parts of each row of a batch, or of all rows alike."""

    rows: list[list[Part]]


def documents_over(
    ids: Tensor | None,
    start: int,
    queries: int,
    *,
    causal: bool = False,
    padding: Tensor | None = None,
    near: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Documents | None:
    """Queries from `start` on, each among keys of its own id in ids [B, K] that `padding` and `near` allow.

    None where one mask does as well: while compiling, where a document comes back after another one, where
    few pairs are left out. Documents of a few tokens share a part.
    """
    if ids is None or torch.compiler.is_compiling() or queries * ids.shape[1] < 256**2:
        return None
    ends = document_ends(ids)
    if ends is None:
        return None
    rows = [part_ends(row, ids.shape[1]) for row in ends]
    pairs = sum(max(high - max(low, start), 0) * (high - low) for row in rows for low, high, _ in row)
    if 2 * pairs > len(rows) * queries * ids.shape[1]:
        return None
    if padding is not None and int((padding == 0).sum()) == 0:
        padding = None
    seen = Seen(ids, start, causal, padding, near)
    batch = [slice(b, b + 1) if len(rows) > 1 else slice(None) for b in range(len(rows))]
    return Documents([[seen.part(b, *part) for part in row] for b, row in zip(batch, rows, strict=True)])


def document_ends(ids: Tensor) -> list[list[int]] | None:
    """Where documents end in each row of ids [B, S], or in all rows alike, but for the last ones.

    None where one comes back behind another, and where no row has two.
    """
    changes, inorder = ids[:, 1:] != ids[:, :-1], ids.sort(dim=1).values
    known = (inorder[:, 1:] != inorder[:, :-1]).sum(1)
    if not changes.any() or (changes.sum(1) != known).any():
        return None
    rows = changes[:1] if (changes == changes[:1]).all() else changes
    return [(row.nonzero()[:, 0] + 1).tolist() for row in rows]


def part_ends(ends: list[int], size: int, few: int = 128) -> list[tuple[int, int, bool]]:
    """Where parts begin and end, and whether several documents are in it.

    They end with a document, where `few` tokens have come together.
    """
    cuts = [0]
    for end in ends:
        if end - cuts[-1] >= few and size - end >= few:
            cuts.append(end)
    pairs = zip(cuts, [*cuts[1:], size], strict=True)
    return [(low, high, any(low < end < high for end in ends)) for low, high in pairs]


class Seen(NamedTuple):
    """What queries see, see `documents_over`."""

    ids: Tensor
    start: int
    causal: bool
    padding: Tensor | None
    near: Callable[[Tensor, Tensor], Tensor] | None

    def part(self, rows: slice, low: int, high: int, several: bool) -> Part:
        """The queries from `low` on, or from the first one on, and the keys up to `high`."""
        first = max(low, self.start)
        mask = self.mask(rows, low, first, high, several) if first < high else None
        causal = self.causal and mask is None and high - first > 1
        return Part(max(high - first, 0), high - low, mask, causal)

    def mask(self, rows: slice, low: int, first: int, high: int, several: bool) -> Tensor | None:
        """[B or 1, 1, Q or 1, K], where more is left to say than that queries look back from their place."""
        q = torch.arange(first, high, device=self.ids.device)[:, None]
        k = torch.arange(low, high, device=self.ids.device)
        ids, terms = self.ids[rows], list[Tensor]()
        if several:
            terms.append(ids[:, None, first:high, None] == ids[:, None, None, low:high])
        if self.padding is not None:
            terms.append(self.padding[rows, None, None, low:high].bool())
        if self.near is not None:
            terms.append(self.near(q, k)[None, None])
        if self.causal and (terms or 1 < high - first < high - low):
            terms.append((k <= q)[None, None])
        mask = terms[0] if terms else None
        for term in terms[1:]:
            mask = term if mask is None else mask & term
        return mask


def document_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | Documents | None,
    *,
    is_causal: bool = False,
    **options: Any,
) -> Tensor:
    """F.scaled_dot_product_attention, part by part where the mask is in parts."""
    if not isinstance(mask, Documents):
        return F.scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal, **options)
    size = len(q) // len(mask.rows)
    rows = zip(mask.rows, *(torch.split(x, size) for x in (q, k, v)), strict=True)
    return torch.cat([row_attention(parts, *row, **options) for parts, *row in rows]).transpose(1, 2)


def row_attention(parts: list[Part], q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    """The results of one part after another: [B, Q, H, E]."""
    keys = [part.keys for part in parts]
    some = torch.split(q, [part.queries for part in parts], dim=2)
    pieces = zip(parts, some, torch.split(k, keys, dim=2), torch.split(v, keys, dim=2), strict=True)
    done: list[Tensor] = []
    for part, queries, near, values in pieces:
        if part.queries:
            given = queries, near, values, part.mask
            y = F.scaled_dot_product_attention(*given, is_causal=part.causal, **options)
            done.append(y.transpose(1, 2))
    return torch.cat(done, dim=1)


def split_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | Windows | Documents | None, **options: Any
) -> Tensor:
    """F.scaled_dot_product_attention, by windows or by documents where the mask is in these."""
    attend: Callable[..., Tensor] = document_attention if isinstance(mask, Documents) else window_attention
    return attend(q, k, v, mask, **options)
