"""Attention by blocks of queries equals attention under the whole mask."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.backends.torch.runtime.windows import (
    Windows,
    at,
    chosen,
    chosen_attention,
    seen,
    window_attention,
    windows_over,
)

SIZES = [  # batch, heads, key heads, queries, keys, before, after, picked keys
    (2, 4, 2, 300, 300, 60, 60, 3),
    (1, 4, 4, 500, 500, 100, 0, 0),
    (3, 2, 2, 5, 400, 64, 0, 0),
    (2, 2, 2, 200, 200, 10, 20, 7),
    (1, 2, 1, 1, 900, 100, 0, 0),
    (2, 2, 2, 40, 40, 10, 0, 2),
]


def drawn(size: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Queries, keys, values, picked keys, keys that are no padding."""
    batch, heads, groups, queries, keys, *_, picked = size
    make = torch.Generator().manual_seed(sum(size))
    q = torch.randn(batch, heads, queries, 8, generator=make)
    k, v = (torch.randn(batch, groups, keys, width, generator=make) for width in (8, 6))
    marked = torch.zeros(batch, keys, dtype=torch.bool)
    for row in range(batch):  # each row another number
        marked[row, torch.randperm(keys, generator=make)[: max(0, picked - row)]] = True
    return q, k, v, marked, torch.rand(batch, keys, generator=make) > 0.1


def masks(size: tuple[int, ...], marked: Tensor, real: Tensor) -> tuple[Tensor | Windows, Tensor]:
    """In blocks, and whole."""
    *_, queries, keys, before, after, picked = size
    start = keys - queries
    windows = windows_over(start, queries, keys, before, after, chosen(marked) if picked else None)
    q, k, there = windows.places(marked.device)
    near = (q - k <= before) & (k - q <= after) | (at(marked, k) if picked else torch.tensor(False))
    blocks = seen(windows, there & near & at(real, k))
    q, k = torch.arange(start, keys)[:, None], torch.arange(keys)
    near = (q - k <= before) & (k - q <= after) | marked[:, None, None]
    return blocks, near & real[:, None, None]


@pytest.mark.parametrize("size", SIZES)
def test_blocks_give_what_the_whole_mask_gives(size: tuple[int, ...]):
    q, k, v, marked, real = drawn(size)
    blocks, whole = masks(size, marked, real)
    grouped: Any = {"enable_gqa": size[1] != size[2]}
    assert isinstance(blocks, Windows) == (size[3] > 64 or size[4] > 200)
    expected = F.scaled_dot_product_attention(q, k, v, whole, **grouped)
    torch.testing.assert_close(window_attention(q, k, v, blocks, **grouped), expected)


def test_blocks_give_the_gradients_of_the_whole_mask():
    q, k, v, marked, real = drawn(SIZES[0])
    blocks, whole = masks(SIZES[0], marked, real)
    q, k, v = (x.double().requires_grad_() for x in (q, k, v))
    weight = torch.randn(*q.shape[:3], v.shape[3], dtype=torch.float64)

    def gradients(result: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad((result * weight).sum(), (q, k, v))

    ours = gradients(window_attention(q, k, v, blocks, enable_gqa=True))
    theirs = gradients(F.scaled_dot_product_attention(q, k, v, whole, enable_gqa=True))
    torch.testing.assert_close(ours, theirs)


def test_the_keys_of_blocks_grow_with_the_window_and_not_with_the_length():
    widths = {windows_over(0, n, n, 100, 100).width for n in (1_000, 10_000, 100_000)}
    assert widths == {264}


@pytest.mark.parametrize("rows", [(), (0,), (3, 17, 18)])
def test_only_chosen_queries_are_computed(rows: tuple[int, ...]):
    q, k, v, _, real = drawn((2, 4, 4, 20, 20, 0, 0, 0))
    where = torch.zeros(2, 20, dtype=torch.bool)
    where[1, list(rows)] = True
    mask = real[:, None, None]
    whole = F.scaled_dot_product_attention(q, k, v, mask)
    expected = torch.where(where[:, None, :, None], whole, 0)
    found = torch.where(where[:, None, :, None], chosen_attention(q, k, v, mask, where), 0)
    torch.testing.assert_close(found, expected)


def test_chosen_indices_come_first_in_each_row():
    where = torch.tensor([[False, True, False, True], [False, False, True, False]])
    assert chosen(where).tolist() == [[1, 3], [2, 4]]
