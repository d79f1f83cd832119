"""Attention document by document equals attention under the whole mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.backends.torch.runtime.documents import (
    Documents,
    Part,
    document_attention,
    documents_over,
    part_ends,
)

CLOSE: Any = {"atol": 2e-6, "rtol": 1e-5}  # fp32 sums in another order
LENGTH = 900


def ids(*rows: Sequence[int]) -> Tensor:
    """Documents of these lengths, row by row."""
    return torch.stack([torch.arange(len(row)).repeat_interleave(torch.tensor(row)) for row in rows])


SAME = ids((300, 300, 300), (300, 300, 300))
OTHER = ids((200, 700 - 300, 300), (450, 150, 300))
SMALL = ids((5, 10, 300, 7, 3, 200, 1, 374), (40,) * 22 + (20,))
UNSORTED = torch.cat((SAME[:, 450:], SAME[:, :450]), dim=1)  # the second document is at both ends


def near(q: Tensor, k: Tensor) -> Tensor:
    return (q - k).abs() < 50


def padding() -> Tensor:
    real = torch.ones(2, LENGTH, dtype=torch.int64)
    real[0, 870:], real[1, 100:120] = 0, 0
    return real


def whole(doc: Tensor, start: int, *, causal: bool, real: Tensor | None, window: bool) -> Tensor:
    q, k = torch.arange(start, LENGTH)[:, None], torch.arange(LENGTH)
    mask = doc[:, None, start:, None] == doc[:, None, None]
    mask = mask & (k <= q) if causal else mask
    mask = mask & near(q, k) if window else mask
    return mask if real is None else mask & real[:, None, None].bool()


@pytest.mark.parametrize("doc", [SAME, OTHER, SMALL], ids=["same", "other", "small"])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("real", [None, padding()], ids=["full", "padded"])
@pytest.mark.parametrize(("start", "window"), [(0, False), (0, True), (640, False), (300, False)])
def test_it_gives_what_the_whole_mask_gives(
    doc: Tensor, causal: bool, real: Tensor | None, start: int, window: bool
):
    make = torch.Generator().manual_seed(1)
    q, k, v = (
        torch.randn(2, heads, size, 8, generator=make, requires_grad=True)
        for heads, size in ((4, LENGTH - start), (2, LENGTH), (2, LENGTH))
    )
    found = documents_over(
        doc, start, LENGTH - start, causal=causal, padding=real, near=near if window else None
    )
    assert isinstance(found, Documents)
    mask = whole(doc, start, causal=causal, real=real, window=window)
    seen = mask.any(-1, keepdim=True)  # [B, 1, Q, 1]: other rows are undefined
    weight = torch.randn(2, 4, LENGTH - start, 8, generator=make) * seen
    results = [
        document_attention(q, k, v, found, enable_gqa=True),
        F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True),
    ]
    torch.testing.assert_close(results[0] * seen, results[1] * seen, **CLOSE)
    ours, theirs = (torch.autograd.grad(y, (q, k, v), weight) for y in results)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_it_computes_pairs_within_documents_alone():
    assert documents_over(SAME, 0, LENGTH) == Documents([[Part(300, 300, None, False)] * 3])
    assert documents_over(OTHER, 0, LENGTH, causal=True) == Documents(
        [[Part(n, n, None, True) for n in row] for row in ((200, 400, 300), (450, 150, 300))]
    )


def test_a_last_query_sees_all_of_its_document_and_nothing_else():
    long = SAME.repeat_interleave(128, dim=1)
    found = documents_over(long, long.shape[1] - 1, 1, causal=True)
    assert found == Documents([[*[Part(0, 38400, None, False)] * 2, Part(1, 38400, None, False)]])


@pytest.mark.parametrize(
    ("why", "doc"),
    [
        ("one comes back", UNSORTED),
        ("there is one", torch.zeros(2, LENGTH)),
        ("they are short", SAME[:, 200:400]),
        ("one is nearly all", ids((800, 100))),
    ],
)
def test_there_is_one_mask_where(why: str, doc: Tensor):
    assert documents_over(doc, 0, doc.shape[1]) is None, why


def test_a_mask_is_handed_on():
    q = torch.randn(1, 2, 5, 4)
    expected = F.scaled_dot_product_attention(q, q, q, is_causal=True)
    torch.testing.assert_close(document_attention(q, q, q, None, is_causal=True), expected)


def test_short_documents_share_a_part():
    assert part_ends([10, 140, 150, 300, 900], 950) == [
        (0, 140, True),
        (140, 300, True),
        (300, 950, True),
    ]
    assert part_ends([], 7) == [(0, 7, False)]
