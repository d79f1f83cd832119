"""Attention by blocks of queries equals attention under the whole mask."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archspec.backends.torch.runtime.windows import (
    Windows,
    at,
    chosen,
    chosen_attention,
    project_and_choose,
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


@pytest.mark.parametrize(
    "size", [*SIZES[:5], (2, 2, 1, 1030, 1100, 300, 270, 0), (1, 2, 2, 1100, 1100, 511, 0, 2)]
)
def test_a_few_queries_at_a_time_give_what_the_whole_mask_gives(size: tuple[int, ...]):
    q, k, v, marked, real = drawn(size)
    blocks, whole = masks(size, marked, real)
    assert isinstance(blocks, Windows)
    steps = blocks.steps()
    assert [rows.start for rows, *_ in steps[1:]] == [rows.stop for rows, *_ in steps[:-1]]
    assert all(seen.shape[-1] <= blocks.width + size[-1] for *_, seen in steps)
    expected = F.scaled_dot_product_attention(q, k, v, whole, enable_gqa=True)
    with torch.no_grad():
        torch.testing.assert_close(window_attention(q, k, v, blocks, enable_gqa=True), expected)


def test_without_gradients_blocks_are_computed_one_after_another(monkeypatch: pytest.MonkeyPatch):
    size = (2, 8, 8, 1000, 1000, 100, 90, 3)
    q, k, v, marked, real = drawn(size)
    blocks, whole = masks(size, marked, real)
    assert isinstance(blocks, Windows)
    asked: list[tuple[int, ...]] = []

    def counting(q: Tensor, *rest: Any, **options: Any) -> Tensor:
        asked.append(tuple(q.shape))
        return attend(q, *rest, **options)

    attend = F.scaled_dot_product_attention
    expected = attend(q, k, v, whole)
    monkeypatch.setattr(F, "scaled_dot_product_attention", counting)
    torch.testing.assert_close(window_attention(q, k, v, blocks), expected)
    assert len(asked) == 1
    with torch.no_grad():
        torch.testing.assert_close(window_attention(q, k, v, blocks), expected)
    assert len(asked) == 1 + blocks.blocks


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


@pytest.mark.parametrize("rows", [(), (0,), (3, 17, 19)])
def test_queries_that_are_not_chosen_keep_what_is_there(rows: tuple[int, ...]):
    q, k, v, _, real = drawn((2, 4, 4, 20, 20, 0, 0, 0))
    where = torch.zeros(2, 20, dtype=torch.bool)
    where[1, list(rows)], where[0, 2] = True, bool(rows)
    mask, others = real[:, None, None], torch.randn(2, 4, 20, 6)
    expected = torch.where(where[:, None, :, None], F.scaled_dot_product_attention(q, k, v, mask), others)
    torch.testing.assert_close(chosen_attention(q, k, v, mask, where, others), expected)


class Doubled(nn.Linear):
    """An adapter: what it computes is not what its weight says."""

    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


@pytest.mark.parametrize("key", [nn.Linear, Doubled])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(), (5,), (0, 3, 19), tuple(range(20))])
def test_few_queries_are_projected_without_keys_and_values(rows: tuple[int, ...], bias: bool, key: Any):
    torch.manual_seed(7)
    x, real = torch.randn(2, 20, 24), torch.rand(2, 20) > 0.1
    modules = nn.Linear(24, 24), key(24, 24, bias=bias), nn.Linear(24, 32, bias=bias)
    where = torch.zeros(2, 20, dtype=torch.bool)
    where[1, list(rows)], where[0, 2] = True, bool(rows)
    mask, others = real[:, None, None], torch.randn(2, 4, 20, 8)
    q, k, v = (module(x).unflatten(-1, (4, -1)).transpose(1, 2) for module in modules)
    expected = chosen_attention(q, k, v, mask, where, others, scale=0.3)
    trained = project_and_choose(x, *modules, 4, mask, where, others, scale=0.3)
    torch.testing.assert_close(trained, expected)
    parameters = [p for module in modules for p in module.parameters()]
    given = torch.randn_like(expected)
    wanted, got = (torch.autograd.grad(y, parameters, given) for y in (expected, trained))
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        found = project_and_choose(x, *modules, 4, mask, where, others, scale=0.3)
        torch.testing.assert_close(found, expected)
        nothing = project_and_choose(x, *modules, 4, mask, where)
        torch.testing.assert_close(nothing, chosen_attention(q, k, v, mask, where))


def test_training_reaches_every_parameter_of_what_projects():
    modules = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
    where = torch.zeros(1, 5, dtype=torch.bool)
    project_and_choose(torch.randn(1, 5, 8), *modules, 2, None, where, dropout_p=0.1).sum().backward()
    assert all(p.grad is not None for module in modules for p in module.parameters())


def test_dropout_leaves_a_bias_out_too():
    """Values that are all 1 sum up to the weights that dropout kept, times two."""
    torch.manual_seed(3)
    modules = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
    nn.init.zeros_(modules[2].weight)
    nn.init.ones_(modules[2].bias)
    where = torch.zeros(64, 9, dtype=torch.bool)
    where[:, 0] = True
    x = torch.zeros(64, 9, 8)
    sums = project_and_choose(x, *modules, 2, None, where, dropout_p=0.5)[:, :, 0]
    torch.testing.assert_close(4.5 * sums, (4.5 * sums).round())  # each weight is 1 / 9, or 2 / 9, or 0
    assert 0.9 < sums.mean() < 1.1
    assert sums.std() > 0.2


def test_chosen_indices_come_first_in_each_row():
    where = torch.tensor([[False, True, False, True], [False, False, True, False]])
    assert chosen(where).tolist() == [[1, 3], [2, 4]]
