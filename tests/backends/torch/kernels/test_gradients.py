"""Gradients of what a score looks up, in each way in which pairs share elements, and those of few rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from archspec.backends.torch.kernels.module import kernel_file
from tests.backends.torch.kernels.harness import check, kernels, loaded, poisoned, results
from tests.backends.torch.kernels.operands import operands
from tests.backends.torch.kernels.structures import DISTANCE, Shape, Structure, Table

WINDOW = "abs(q - k) <= w"
HERE = Shape(B=2, H=2, G=1, Q=21, K=37, start=9)
FAR = Table(("h", 15), "float")


def floats(*axes: str | int) -> Table:
    return Table(axes, "float")


GIVEN = {
    "of a head": Structure("k <= q", {}, {"slopes": floats("h")}, "exp(slopes[h]) * (k - q)", shape=HERE),
    "of queries": Structure(
        WINDOW, {"w": 9}, {"rows": floats("h", "q")}, "rows[h, q] * k * 0.1", shape=HERE
    ),
    "of keys": Structure(WINDOW, {"w": 9}, {"places": floats("b", "k")}, "0.5 * places[b, k]", shape=HERE),
    "by distance": Structure(WINDOW, {"w": 20, "r": 7}, {"table": FAR}, DISTANCE, shape=HERE),
    "by distance, behind": Structure(
        "k <= q", {}, {"table": floats("h", 60)}, "table[h, abs(k - q)]", shape=HERE
    ),
    "by distance, in buckets": Structure(
        None, {"r": 7}, {"table": floats(4, "h"), "bucket": Table((15,), "int")},
        "table[bucket[min(max(q - k, -r), r) + r], h]", shape=HERE,
    ),
    "of pairs": Structure(
        WINDOW, {"w": 9}, {"bias": floats("b", "h", 21, "k")}, "bias[b, h, q - start, k]", shape=HERE
    ),
    "of pairs, shared": Structure(
        "k <= q", {}, {"bias": floats(1, 1, 21, "k")}, "-bias[b, h, q - start, k]", shape=HERE
    ),
    "of pairs, in buckets": Structure(
        None, {}, {"table": floats(3, "h"), "bucket": Table(("q", "k"), "int")}, "table[bucket[q, k], h]",
        shape=HERE,
    ),
    "two of one": Structure(
        "k <= q", {"r": 7}, {"table": FAR}, f"{DISTANCE} + table[h, 3] * table[h, 4] / 2", shape=HERE
    ),
    "of two": Structure(
        "k <= q", {"r": 7}, {"slopes": floats("h"), "table": FAR}, f"max({DISTANCE}, 0.1) * slopes[h]",
        shape=HERE,
    ),
    "beyond a cap": Structure("k <= q", {"r": 7}, {"table": FAR}, DISTANCE, cap=1.5, sunk=True, shape=HERE),
    "of nothing but the sink": Structure(
        "k < g", {"g": 0}, {"slopes": floats("h")}, "slopes[h] * k", sunk=True, shape=HERE
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_against_float64(name: str) -> None:
    check(GIVEN[name], M=16, N=16)


@pytest.mark.parametrize("name", ["by distance", "of pairs, in buckets"])
def test_tiles_of_other_sizes(name: str) -> None:
    check(GIVEN[name], M=32, N=16)


def computed(given: Structure, frozen: tuple[str, ...] = ()) -> dict[str, Tensor]:
    x = operands(given)
    if not frozen:
        return results(kernels(given, 16, 16), x)
    leaves = {word: leaf.requires_grad_() for word, leaf in x.floats.items() if word not in frozen}
    out = kernels(given, 16, 16)(x)
    return dict(zip(leaves, torch.autograd.grad(out.sum(), list(leaves.values())), strict=True))


@pytest.mark.parametrize("name", ["by distance", "two of one"])
def test_same_numbers_every_time(name: str) -> None:
    first, again = computed(GIVEN[name]), computed(GIVEN[name])
    assert all(torch.equal(first[word], again[word]) for word in first)


def test_frozen_tables_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given, launched = GIVEN["of two"], list[int]()
    names = vars(loaded(kernel_file(given.description()), 16, 16))
    sums = names["score_sums"]

    def counted(lookup: int, *rest: Any) -> Tensor:
        launched.append(lookup)
        return sums(lookup, *rest)

    monkeypatch.setitem(names, "score_sums", counted)
    with poisoned():
        assert set(computed(given, ("slopes", "table"))) == {"q", "k", "v"}
        assert launched == []
        found = computed(given, ("slopes",))
    assert launched == [1]
    assert found["table"].isfinite().all()


class Recorded:
    """In place of a kernel: what it is launched with."""

    def __init__(self) -> None:
        self.sums = list[Tensor]()

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def launch(*given: Any, **_: Any) -> None:
            self.sums.append(given[6])

        return launch


@pytest.mark.parametrize(
    ("name", "size"), [("of a head", 512), ("by distance", 2 * 16 * 63), ("of pairs", 512**2)]
)
def test_sums_take_little_memory(name: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a head of 512 queries and keys: a number for a query, four for a distance, one for a pair."""
    given, launched = GIVEN[name], Recorded()
    names = vars(loaded(kernel_file(given.description()), 16, 16))
    monkeypatch.setitem(names, "backward_score", launched)
    q = torch.zeros(1, 1, 512, 16)
    _, walk, _ = names["LOOKUPS"][0]
    x = operands(given)
    names["score_sums"](0, walk, q, q, q, q, q, q, *x.tables.values(), *given.numbers.values(), 0, 1.0)
    assert [t.numel() for t in launched.sums] == [size]
