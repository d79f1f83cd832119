"""Attention in one operation: which of its pairs are computed."""

import pytest

from archspec import api
from archspec.analysis.sizes import Sizes
from archspec.reports.account import Account
from archspec.reports.fused import is_fused, is_generated, shares
from archspec.reports.in_tiles import in_tiles
from archspec.reports.question import Question
from archspec.reports.sections import flops
from archspec.reports.serving import loads

TINY = {
    "gpt2": {"num_layers": 2, "max_positions": 1024},
    "gemma2": {"num_layers": 3, "vocab_size": 99, "window": 200},
    "longformer": {"num_layers": 2, "windows": [256, 512]},
}


def account(name: str, attention: str, *, length: int = 1024) -> Account:
    graph = api.lower(api.load(name, overrides=TINY[name]))
    return Account(graph, Question(sizes={"B": 2, "S": length}, attention=attention))


@pytest.mark.parametrize(
    ("name", "attention"),
    [("gpt2", "sdpa"), *((name, "triton") for name in TINY), ("longformer", "sdpa")],
)  # fmt: skip
def test_masks_leave_out_pairs_in_each_layer_by_itself(name: str, attention: str):
    """Layers of different windows at different places, and what is computed in blocks already."""
    found = account(name, attention)
    each = loads(found.inference, found.forward)
    assert sum(x.flops for x in each if is_fused(x.name)) == found.forward.by_class()["attention"].exact
    places = {k.place for k in found.inference.kernels if is_fused(k.name)}
    assert len(places) == (3 if name == "gemma2" else 2)


def test_without_a_mask_known_everything_counts():
    found = account("gpt2", "triton")
    every = sum(x.flops for x in loads(found.inference) if is_fused(x.name))
    assert every == found.forward.by_class()["attention"].full


def test_other_operations_are_what_they_are():
    found = account("gpt2", "triton")
    share = shares(found.inference.kernels, found.forward)
    assert {share(k) for k in found.inference.kernels if not is_fused(k.name)} == {1.0}


def test_a_module_called_attention_is_no_kernel():
    assert is_generated("attention_0123456789ab")
    assert is_generated("attention_0123456789ab_backward")
    assert not is_fused("attention_mask")


def test_tiles_hold_the_pairs_that_count_and_less_than_a_tile_more_in_each_row():
    found = account("longformer", "triton")
    computed, exact = in_tiles(found.graph, found.sizes), found.forward.by_class()["attention"].exact
    assert computed is not None
    assert isinstance(exact, int)
    assert exact < computed < 2 * exact
    assert "of it attention, in tiles" in [row.label for row in flops(found).rows]


def test_a_causal_mask_visits_tiles_up_to_the_diagonal():
    found = account("gpt2", "triton")
    tiles = sum(2 * (m + 1) for m in range(8))  # of 128 by 64
    pairs = 2 * 12 * 2 * tiles * 128 * 64  # rows, heads, layers
    assert in_tiles(found.graph, found.sizes) == 2 * (64 + 64) * pairs


def test_symbols_have_no_tiles():
    graph = api.lower(api.load("gpt2", overrides=TINY["gpt2"]))
    assert in_tiles(graph, Sizes.of(graph, {"B": 1})) is None
