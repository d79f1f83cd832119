"""Faults put into the generator on purpose: each is seen by the comparison that the structures pass."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import pytest
import torch

from archspec.backends.torch.kernels import functions, module
from archspec.backends.torch.kernels.description import Description
from archspec.backends.torch.kernels.module import KernelFile, kernel_file
from archspec.backends.torch.kernels.runs import Run, Runs
from tests.backends.torch.kernels.harness import TOLERANCE, errors
from tests.backends.torch.kernels.structures import STRUCTURES, Shape, Structure

NUMBERS = count(1)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # faults divide by 0

# Structure, what stands in its file, and what is put there instead.
TEXTS = {
    "last sum of weights is not faded": ("window", "total = total * fading +", "total = total +"),
    "last values are not faded": ("window", "acc * fading[:, None], input", "acc, input"),
    "a score of powers of e": ("causal", "scale * 1.4426950408889634", "scale"),
    "the scale is left out of dq": ("causal", "acc * scale, m * M", "acc, m * M"),
    "the scale is left out of dk": ("causal", "k_sum * scale, n * N", "k_sum, n * N"),
    "delta is left out": ("causal", "weights * (gradients - delta)", "weights * gradients"),
    "the wrong derivative of tanh": ("capped", "1 - t * t", "1 - t"),
    "another head's keys": ("shared keys", "h // group", "h % (heads // group)"),
    "another head's queries": ("shared keys", "h = g * group + member", "h = member * groups + g"),
    "the diagonal is left out": ("causal", "return k <= q", "return k < q"),
    "one key beyond the end": ("full", "(key < K)", "(key < K + 1)"),
    "what data picks is not looked at": ("global by data", ".to(tl.int32)) > 0", ".to(tl.int32)) > 1"),
    "a row that sees nothing": ("chosen queries", "where(seen[:, None]", "where(total[:, None] > 0"),
    "no sink in the sum": ("sunk", "+ tl.exp2(sink - higher)", ""),
    "positions from the first query": ("cross lengths", "start + tl.minimum(row", "tl.minimum(row"),
    "a table's strides": ("bias", "h.to(tl.int64) * bias_1", "h.to(tl.int64) * bias_2"),
    "gradients of all weights": ("window", "weights = tl.where(counts(", "weights = tl.where(True | counts("),
}  # fmt: skip


def mutated(file: KernelFile, text: str) -> KernelFile:
    """A file of that text, under a name of its own, so that its operation is another one."""
    assert text != file.text, "nothing is changed"
    name = f"{file.name}_{next(NUMBERS)}"
    return KernelFile(name, text.replace(file.name, name))


def is_caught(given: Structure, file: KernelFile, N: int = 32) -> bool:
    return not max(errors(given, M=16, N=N, file=file).values()) <= TOLERANCE[torch.float32]


@pytest.mark.parametrize("fault", TEXTS)
def test_a_fault_in_the_text(fault: str) -> None:
    name, old, new = TEXTS[fault]
    file = kernel_file(STRUCTURES[name].description())
    assert old in file.text
    assert is_caught(STRUCTURES[name], mutated(file, file.text.replace(old, new)))


# A window that is wider than several tiles; what stands in its file, as a pattern, and what is put there.
LONG = Structure("k <= q and q - k < w", {"w": 40}, shape=Shape(H=1, G=1, Q=70, K=70))
TILES = {
    "the last tested tile of keys": (r"(def count_tested_keys.*?return )([^\n]+)", r"\1\2 - 1"),
    "the last whole tile of queries": (r"(def count_whole_queries.*?return )([^\n]+)", r"\1\2 - 1"),
    "the first tile": (r"(def tested_queries.*?return )([^\n]+)", r"\g<1>1 + \2"),
    "a tile twice": (r"(def whole_keys.*?return )([^\n]+)", r"\1tl.maximum(\2 - 1, 0)"),
    "tiles are called whole too early": (r"(def key_tiles.*?\n    inner = )([^\n]+)", r"\1begin"),
    "tiles are called whole too long": (r"(def query_tiles.*?\n    outer = )([^\n]+)", r"\1end"),
    "inner and outer": (r"(def key_tiles.*?return begin, )inner, outer", r"\1outer, inner"),
}


@pytest.mark.parametrize("fault", TILES)
def test_a_fault_in_tiles(fault: str) -> None:
    old, new = TILES[fault]
    file = kernel_file(LONG.description())
    text, found = re.subn(old, new, file.text, count=1, flags=re.DOTALL)
    assert found
    assert is_caught(LONG, mutated(file, text), 16)


def changed(given: Structure) -> KernelFile:
    """The file of a changed generator, under another name than the right one."""
    file = kernel_file(given.description())
    return mutated(file, f"{file.text}\n")


def test_a_generator_that_takes_queries_for_positive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries that stand before the first key are in no chunk of keys, although -1 / 6 is 0 in Triton."""
    given = STRUCTURES["before the first key"]
    assert not is_caught(given, changed(given))

    def always(*_: object) -> bool:
        return True

    monkeypatch.setattr(functions.Printer, "_not_below_0", always)
    assert is_caught(given, changed(given))


def test_a_generator_that_forgets_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    given = STRUCTURES["sinks in a window"]
    right = Runs.of_group

    def short(self: Runs, group: Any) -> tuple[Run, ...]:
        return right(self, group)[:1]

    monkeypatch.setattr(Runs, "of_group", short)
    assert is_caught(given, changed(given))


def test_a_generator_that_tests_nothing_in_whole_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    given = STRUCTURES["padding"]
    right = module.flags

    def wrong(given: Description) -> dict[str, bool]:
        return {**right(given), "INSIDE": False}

    monkeypatch.setattr(module, "flags", wrong)
    assert is_caught(given, changed(given))
