"""Weights that are left out: the same ones in the result and in every gradient, whatever the tiles."""

from __future__ import annotations

import torch
from msgspec import structs
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from archspec.backends.torch.kernels.module import kernel_file
from tests.backends.torch.kernels.harness import loaded, poisoned
from tests.backends.torch.kernels.operands import operands
from tests.backends.torch.kernels.reference import attended, pairs, weights
from tests.backends.torch.kernels.structures import Shape, Structure

RATE = 0.3
SHAPE = Shape(B=2, H=2, G=1, Q=21, K=24, start=3)
GIVEN = Structure("k <= q and q - k < w", {"w": 15}, sunk=True, shape=SHAPE)
FILE = kernel_file(structs.replace(GIVEN.description(), dropped=True))


def attention(given: list[Tensor], rate: float = RATE, seed: int = 3, M: int = 32, N: int = 32) -> Tensor:
    q, k, v, sinks = given
    torch.manual_seed(seed)
    module = loaded(FILE, M, N)
    with poisoned():
        return module.attention(q, k, v, GIVEN.numbers["w"], sinks, dropout_p=rate, start=SHAPE.start)


def leaves() -> list[Tensor]:
    x = operands(GIVEN)
    assert x.sinks is not None
    return [t.detach().requires_grad_() for t in (x.q, x.k, x.v, x.sinks)]


def unit(v: Tensor) -> Tensor:
    """Values by which the result is the weights."""
    return torch.eye(v.shape[2]).expand(*v.shape[:2], -1, -1).contiguous()


def mask(seed: int = 3, M: int = 32, N: int = 32) -> Tensor:
    """Which weights stay: those that the rule leaves out do too."""
    q, k, v, sinks = leaves()
    found = attention([q, k, unit(v), sinks], seed=seed, M=M, N=N)
    return (found > 0) | ~seen()


def seen() -> Tensor:
    assert GIVEN.rule is not None
    size = (SHAPE.B, SHAPE.H, SHAPE.Q, SHAPE.K)
    return pairs(GIVEN.rule, GIVEN.numbers, size, SHAPE.start).bool()


def test_result_and_gradients_are_those_of_an_explicit_mask() -> None:
    given = leaves()
    kept = mask().double() / (1 - RATE)
    wide = [x.detach().double().requires_grad_() for x in given]
    q, k, v, sinks = wide
    true = attended(q, k, v, lambda products: weights(products, seen(), sinks=sinks) * kept)
    found = attention(given)
    with poisoned():
        grads = torch.autograd.grad(found, given, torch.ones_like(found))
    expected = torch.autograd.grad(true, wide, torch.ones_like(true))
    for a, b in zip((found, *grads), (true, *expected), strict=True):
        assert (a - b).abs().max() < 2e-5 * b.abs().max()


def test_mask_does_not_depend_on_tiles() -> None:
    assert torch.equal(mask(M=16, N=32), mask(M=32, N=16))


def test_mask_is_random_and_follows_torchs_generator() -> None:
    shown = seen().expand(SHAPE.B, SHAPE.H, -1, -1)
    kept = mask()[shown]
    deviation = (RATE * (1 - RATE) / len(kept)) ** 0.5
    assert abs(kept.double().mean() - (1 - RATE)) < 4 * deviation
    assert torch.equal(mask(seed=5), mask(seed=5))
    assert not torch.equal(mask(seed=5), mask(seed=6))
    first = mask()[:, :, seen()[0, 0]]
    rows = first.flatten(0, 1).unique(dim=0)
    assert len(rows) == SHAPE.B * SHAPE.H, "each head of each sequence has its own"


def test_recomputation_replays_the_mask() -> None:
    given = leaves()
    plain = torch.autograd.grad(attention(given).sum(), given)
    torch.manual_seed(3)

    def run(*x: Tensor) -> Tensor:
        q, k, v, sinks = x
        return loaded(FILE, 32, 32).attention(
            q, k, v, GIVEN.numbers["w"], sinks, dropout_p=RATE, start=SHAPE.start
        )

    out = checkpoint(run, *given, use_reentrant=False)
    assert isinstance(out, Tensor)
    again = torch.autograd.grad(out.sum(), given)
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))


def test_without_a_rate_nothing_is_drawn() -> None:
    given = leaves()
    found = attention(given, rate=0.0)
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(1))
    plain = loaded(kernel_file(GIVEN.description()), 32, 32)
    q, k, v, sinks = given
    assert torch.equal(found, plain.attention(q, k, v, GIVEN.numbers["w"], sinks, start=SHAPE.start))
