"""Generated kernels against float64 attention by brute force: results and gradients of all structures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor

from tests.backends.torch.kernels.harness import check, errors, kernels, poisoned, results
from tests.backends.torch.kernels.operands import Operands, operands
from tests.backends.torch.kernels.structures import STRUCTURES, Structure, Table

TILES = [(16, 32), (32, 16)]
HALF = [
    "full", "window", "global by data", "padding, given", "by distance", "bias of all heads", "ALiBi",
    "capped, with a bias", "sunk, with data", "shared keys",
]  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_in_float32(name: str) -> None:
    """Both kinds of tiles occur; which one a structure gets is the same in every run."""
    check(STRUCTURES[name], torch.float32, *TILES[list(STRUCTURES).index(name) % 2])


@pytest.mark.parametrize("name", HALF)
def test_in_bfloat16(name: str) -> None:
    check(STRUCTURES[name], torch.bfloat16, 32, 32)


@pytest.mark.parametrize("name", HALF[::3])
def test_in_float16(name: str) -> None:
    check(STRUCTURES[name], torch.float16, 16, 32)


def test_distances_have_more_digits_than_bfloat16() -> None:
    """Far from the first key 1,000 and 1,001 are told apart, also by slopes of eight bits.

    The gradient of a slope is left out: far away it is a small difference of large sums.
    """
    found = errors(STRUCTURES["ALiBi"].shaped(start=1000), torch.bfloat16)
    assert max(error for word, error in found.items() if word != "slopes") < 1e-2, found


@pytest.mark.parametrize("features", [40, 80, 96, 160, 256])
def test_features_of_a_head(features: int) -> None:
    given = STRUCTURES["window"].shaped(H=1, G=1, Q=20, K=33, start=13, E=features, W=features)
    check(given, torch.float32, 16, 16)


@pytest.mark.parametrize(("Q", "K"), [(1, 1), (1, 37), (7, 5), (37, 1), (16, 32), (33, 15)])
@pytest.mark.parametrize("name", ["window, both sides", "padding"])
def test_lengths(name: str, Q: int, K: int) -> None:
    """Shorter than a tile, a tile, one more or less; the last query stands at the last key."""
    check(STRUCTURES[name].shaped(H=1, G=1, Q=Q, K=K, start=max(K - Q, 0)), torch.float32, 16, 32)


@pytest.mark.parametrize("name", ["global by data", "bias", "per head"])
def test_rows_of_a_batch(name: str) -> None:
    check(STRUCTURES[name].shaped(B=2, H=4, G=2, Q=18, K=18), torch.float32, 32, 16)


def computed(given: Structure, x: Operands) -> dict[str, Tensor]:
    with poisoned():
        return results(kernels(given), x)


@pytest.mark.parametrize("sunk", [False, True])
@pytest.mark.parametrize("first", [0, 30, 45])
def test_rows_that_see_nothing(first: int, sunk: bool) -> None:
    """Queries before `g` see no key, in tiles that are visited and in others; nobody those before `first`."""
    given = Structure("q >= g and t[b, k]", {"g": 21}, {"t": Table(("b", "k"))}, sunk=sunk)
    x = replace(operands(given), tables={"t": torch.arange(given.shape.K)[None] >= first})
    found = computed(given, x)
    assert not found["out"][:, :, :21].any()
    assert not found["q"][:, :, :21].any()
    assert not found["k"][:, :, :first].any()
    assert not found["v"][:, :, :first].any()
    assert first == 45 or all(x.any() for x in found.values())


@pytest.mark.parametrize("sizes", [{"Q": 0, "K": 9}, {"Q": 9, "K": 0}, {"B": 0}])
def test_nothing_to_attend(sizes: dict[str, int]) -> None:
    given = STRUCTURES["causal"].shaped(**sizes)
    found = computed(given, operands(given))
    assert not any(x.any() for x in found.values())


def _row(out: Tensor) -> Tensor:
    return torch.linspace(-1, 1, out.shape[2], dtype=out.dtype)[:, None].expand(out.shape)


def _columns(out: Tensor) -> Tensor:
    return torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(*out.shape[:2], *out.shape[:1:-1]).mT


@pytest.mark.parametrize("grad", [torch.ones_like, _row, _columns])
def test_gradients_of_any_strides(grad: Callable[[Tensor], Tensor]) -> None:
    found = errors(STRUCTURES["window"], grad=grad)
    assert max(found.values()) < 2e-5, found


def test_features_that_lie_apart() -> None:
    """They are copied before the kernels read them."""
    given = STRUCTURES["window"]
    x = operands(given)
    apart = replace(x, q=x.q.mT.contiguous().mT, k=x.k.mT.contiguous().mT, v=x.v.mT.contiguous().mT)
    assert apart.q.stride(3) != 1
    call = kernels(given)
    assert torch.equal(call(x), call(apart))


def test_a_call_gives_the_same_bits_again() -> None:
    given = STRUCTURES["global by data"]
    first, second = (computed(given, operands(given)) for _ in range(2))
    assert all(torch.equal(first[word], second[word]) for word in first)
