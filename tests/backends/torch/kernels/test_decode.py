"""Few queries over many keys: shares of the needed tiles, put together, are what whole rows give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from archspec.backends.torch.kernels.module import kernel_file
from tests.backends.torch.kernels.harness import check, kernels, loaded, poisoned, reference
from tests.backends.torch.kernels.operands import operands
from tests.backends.torch.kernels.structures import KEYS, STRUCTURES, Shape, Structure, Table

ONE = Shape(B=1, H=4, G=2, Q=1, K=75, E=16, W=24, start=74)
SOME = Shape(B=1, H=4, G=1, Q=5, K=90, E=16, W=16, start=85)

GIVEN = {
    "all keys": Structure(None, shape=ONE).shaped(B=2),
    "causal, more queries": Structure("k <= q", shape=SOME),
    "window": Structure("k <= q and q - k < w", {"w": 20}, shape=ONE),
    "window, sunk": Structure("k <= q and q - k < w", {"w": 20}, sunk=True, shape=ONE),
    "padded": Structure("k <= q and t[b, k]", {}, {"t": KEYS}, shape=ONE),
    "data picks": Structure("q - k < w or t[b, k]", {"w": 9}, {"t": KEYS}, shape=ONE),
    "slopes of heads": Structure(
        "k <= q", {}, {"slopes": Table(("h",), "float")}, "slopes[h] * (k - q)", shape=SOME
    ),
    "capped": Structure("k <= q", cap=1.5, shape=SOME),
    "nothing is seen": Structure("k < g", {"g": 0}, shape=ONE),
    "nothing but the sink": Structure("k < g", {"g": 0}, sunk=True, shape=ONE),
}  # fmt: skip


def module_for(given: Structure) -> Any:
    return loaded(kernel_file(given.description()), 16, 16)


def always(number: int) -> Callable[..., int]:
    def given(*_: object) -> int:
        return number

    return given


def cut(patch: pytest.MonkeyPatch, given: Structure, shares: int) -> None:
    """Keys are cut into so many shares; 0: not at all."""
    names = vars(module_for(given))
    patch.setitem(names, "MANY_KEYS", 0 if shares else 10**9)
    patch.setitem(names, "shares", always(shares))


def found(patch: pytest.MonkeyPatch, given: Structure, shares: int) -> tuple[Tensor, Tensor]:
    """The result, and the logarithms of sums that the operation keeps for the gradient."""
    names, kept = vars(module_for(given)), list[Tensor]()
    operation = names["attention_forward"]

    def listen(*args: object) -> tuple[Tensor, Tensor]:
        out, lse = operation(*args)
        kept.append(lse)
        return out, lse

    with patch.context() as patched, poisoned():
        cut(patched, given, shares)
        patched.setitem(names, "attention_forward", listen)
        return kernels(given, 16, 16)(operands(given)), kept[0]


def error(given: Structure, out: Tensor) -> float:
    true = reference(given)(operands(given).wide())
    return float((out - true).abs().max() / true.abs().max().clamp(min=1e-9))


@pytest.mark.parametrize("name", GIVEN)
def test_shares_give_what_whole_rows_give(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = GIVEN[name]
    out, lse = found(monkeypatch, given, 4)
    rows, powers = found(monkeypatch, given, 0)
    assert error(given, out) < 2e-5
    torch.testing.assert_close(out, rows, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(lse, powers, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("shares", [1, 2, 8])
def test_any_number_of_shares(shares: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = GIVEN["window"]  # of whose tiles two are needed
    assert error(given, found(monkeypatch, given, shares)[0]) < 2e-5


def test_gradients_go_on_from_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    given = GIVEN["causal, more queries"]
    cut(monkeypatch, given, 4)
    check(given, M=16, N=16)


def test_only_few_queries_are_cut_into_shares() -> None:
    module = module_for(GIVEN["all keys"])
    k = torch.zeros(1, 2, 256, 16)
    sizes = ((1, 2), (16, 2), (17, 2), (16, 8), (16, 10), (0, 2))
    few = [module.are_few(torch.zeros(1, heads, queries, 16), k) for queries, heads in sizes]
    assert few == [True, True, False, True, False, False]


def test_bounds_that_differ_between_heads_go_by_rows() -> None:
    assert "decoded(" not in kernel_file(STRUCTURES["per head"].description()).text
    assert "decoded(" in kernel_file(STRUCTURES["causal"].description()).text
