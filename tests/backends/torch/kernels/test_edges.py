"""What is handled rather than refused: no rows at all, views of any strides, sums as gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from archspec.backends.torch.kernels.module import kernel_file
from tests.backends.torch.kernels.harness import kernels, loaded, poisoned, results
from tests.backends.torch.kernels.operands import Operands, operands
from tests.backends.torch.kernels.structures import Shape, Structure, Table

SHAPE = Shape(B=2, H=2, G=1, Q=15, K=18, E=16, W=24, start=3)
GIVEN = Structure(
    "k <= q and q - k < w",
    {"w": 9},
    {"slopes": Table(("h",), "float")},
    "slopes[h] * k * 0.1",
    sunk=True,
    shape=SHAPE,
)


@pytest.mark.parametrize("sizes", [{"B": 0}, {"Q": 0}, {"K": 0}], ids=str)
def test_nothing_to_attend(sizes: dict[str, int]) -> None:
    """Without keys the result is 0 and moves nothing; without queries there is none."""
    given = GIVEN.shaped(**sizes)
    x = operands(given)
    with poisoned():
        found = results(kernels(given, 16, 16), x)
    assert found["out"].shape == (given.shape.B, SHAPE.H, given.shape.Q, SHAPE.W)
    assert {word: t.shape for word, t in found.items() if word != "out"} == {
        w: t.shape for w, t in x.floats.items()
    }
    assert all(not t.any() for t in found.values())


def spread(x: Tensor) -> Tensor:
    """Features lie apart."""
    around = torch.full((*x.shape, 3), math.nan)
    around[..., 1] = x
    return around[..., 1]


def shifted(x: Tensor) -> Tensor:
    """Rows begin anywhere, 4 bytes apart from where copies would be aligned."""
    buffer = torch.full((x.numel() + 1,), math.nan)
    return buffer[1:].view(x.shape).copy_(x)


def turned(x: Tensor) -> Tensor:
    """The batch varies fastest but for the features."""
    return x.permute(2, 1, 0, 3).contiguous().permute(2, 1, 0, 3)


def shared(x: Tensor) -> Tensor:
    """All heads of a sequence are one."""
    return x[:, :1].expand(x.shape)


@pytest.mark.parametrize("view", [spread, shifted, turned, shared])
def test_views(view: Callable[[Tensor], Tensor]) -> None:
    x = operands(GIVEN)
    views = Operands(view(x.q.detach()), view(x.k.detach()), view(x.v.detach()), x.tables, x.sinks)
    q, k, v = (t.contiguous() for t in (views.q, views.k, views.v))
    plain = Operands(q, k, v, x.tables, x.sinks)
    with poisoned():
        found, same = (results(kernels(GIVEN, 16, 32), given) for given in (views, plain))
    for word, t in same.items():
        torch.testing.assert_close(found[word], t, rtol=0, atol=0)


def test_gradient_of_a_sum() -> None:
    """It is one number, read everywhere."""
    x = operands(GIVEN)
    call = kernels(GIVEN, 16, 32)
    with poisoned():
        ones = results(call, x, lambda out: torch.ones(()).expand(out.shape))
        same = results(call, x, torch.ones_like)
    assert all(torch.equal(ones[word], same[word]) for word in same)


def test_rows_that_the_copy_engine_cannot_read() -> None:
    aligned = loaded(kernel_file(GIVEN.description()), 16, 16).aligned
    x = torch.zeros(1, 2, 8, 32, dtype=torch.bfloat16)
    cases = (x, x[..., 8:], x[..., 4:], x[..., :31].contiguous(), x[..., :24].contiguous())
    assert [aligned(case) for case in cases] == [True, True, False, False, True]
