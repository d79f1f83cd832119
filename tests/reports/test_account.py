"""An account puts the count of the graph and the run of the emitted source together."""

from typing import Any

import pytest

import archspec
from archspec.analysis.sizes import Sizes, number
from archspec.dims import poly
from archspec.errors import ArchspecError
from archspec.reports.account import Account
from archspec.reports.learned import learned
from archspec.reports.question import PRECISIONS, Question
from archspec.reports.serving import read_bytes
from archspec.reports.shapes import shapes

TINY = {"num_layers": 2, "hidden_size": 32, "num_heads": 4, "vocab_size": 97, "max_positions": 64}


def account(
    spec: str, sizes: dict[str, int], overrides: dict[str, Any] | None = None, **more: Any
) -> Account:
    preset, graph = more.pop("preset", None), more.pop("graph", None)
    loaded = archspec.load(spec, preset=preset, overrides=overrides, graph=graph)
    return archspec.analyze(loaded, Question(sizes=sizes, **more))


def test_the_numbers_of_gpt2():
    """FLOPs as FlopCounterMode counts the reference at [1, 1024]; keys and values of 12 layers in bf16."""
    found = account("gpt2", {"B": 1, "S": 1024})
    assert found.parameters.total == 124_439_808
    assert found.forward.forward.full == 291_648_307_200
    assert found.step.step.full == 874_944_921_600
    assert found.state.per_token == 2 * 12 * 768 * 2
    assert found.optimizer.total - found.optimizer.counters == 16 * 124_439_808


SIZES = {
    "gpt2": {"B": 2, "S": 24},
    "bert": {"B": 2, "S": 24},
    "t5": {"B": 2, "S": 24, "T": 9},
    "llama": {"B": 2, "S": 24},
    "mixtral": {"B": 2, "S": 24},
    "vit": {"B": 2},
    "clip": {"B": 3, "S": 24, "I": 3},
    "whisper": {"B": 1, "T": 9},
    "convnext": {"B": 1, "H": 64, "W": 64},
    "modernbert": {"B": 2, "S": 24},
}


@pytest.mark.parametrize("spec", SIZES)
def test_the_two_counts_agree(spec: str):
    """FLOPs of the graph, all pairs, against those of the emitted source, eager; forward and training."""
    found = account(spec, SIZES[spec], attention="eager", hardware="cpu", precision="fp32", dropout=False)
    assert found.forward.forward.full == found.inference.flops
    assert found.step.step.full == found.training.flops + found.training.backward_flops


@pytest.mark.parametrize("spec", ["gpt2", "llama", "mixtral", "mamba"])
def test_symbols_give_the_numbers(spec: str):
    sizes = {"B": 3, "S": 40}
    symbolic, numeric = account(spec, {}), account(spec, sizes)
    for ours, theirs in (
        (symbolic.forward.forward.full, numeric.forward.forward.full),
        (symbolic.step.step.full, numeric.step.step.full),
    ):
        assert isinstance(ours, poly.Poly)
        assert poly.evaluate(ours, sizes) == theirs
    assert not symbolic.numeric
    assert numeric.numeric


def test_checkpointing_trades_memory_for_flops():
    kept = [
        account("gpt2", {"B": 2, "S": 32}, TINY | {"num_layers": 4}, checkpoint=c)
        for c in ("none", 2, "full")
    ]
    saved = [one.training.activations for one in kept]
    flops = [number(one.step.step.full, "FLOPs") for one in kept]
    assert saved == sorted(saved, reverse=True)
    assert flops == sorted(flops)
    assert len({*saved}) == len({*flops}) == 3


def test_selective_checkpointing_keeps_no_scores():
    """5 a s^2 b bytes a layer in bf16 with dropout (Korthikanti 2022): here fp32 weights, and bf16 copies."""
    asked: dict[str, Any] = {"attention": "eager", "precision": "bf16"}
    sizes = {"B": 2, "S": 24}
    whole, some = (account("gpt2", sizes, TINY, checkpoint=c, **asked) for c in ("none", "selective"))
    pairs = 2 * 2 * 4 * 24 * 24  # layers, batch, heads, queries, keys
    scores = pairs * (4 + 1 + 2)  # softmax in fp32, mask of dropout, weights in bf16
    assert whole.training.activations - some.training.activations == scores
    assert some.training_peak < whole.training_peak
    assert some.training_step.flops > whole.training_step.flops
    asked = {"attention": "sdpa", "precision": "bf16"}
    fused, plain = (account("gpt2", sizes, TINY, checkpoint=c, **asked) for c in ("selective", "none"))
    assert fused.training_step == plain.training_step


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_has_a_memory(precision: str):
    found = account("gpt2", {"B": 1, "S": 16}, TINY, precision=precision)
    assert found.training.activations > 0
    assert (found.training.weight_copies > 0) == precision.startswith("autocast")
    assert found.optimizer.weights == found.training.parameters


@pytest.mark.parametrize("spec", ["gpt2", "t5", "albert", "mixtral", "resnet", "deepseek_v2"])
def test_an_optimizer_sees_every_parameter_once(spec: str):
    graph = archspec.lower(spec)
    assert sum(p.count for p in learned(graph) if p.trainable) == archspec.analyze(spec).parameters.total


def test_tables_are_looked_up_and_heads_are_not_matrices_of_an_optimizer():
    found = {p.name: p for p in learned(archspec.lower("llama"))}
    assert found["embed.weight"].looked_up
    assert found["lm_head.weight"].embedding
    assert not found["lm_head.weight"].looked_up
    assert not found["layers.*.mlp.up.weight"].embedding


def test_bytes_a_step_reads():
    """Llama 3.1 8B in bf16 reads 15,009,849,344 bytes of weights a token, and one row of the embedding."""
    assert read_bytes(archspec.lower("llama"), "bfloat16") == 15_009_849_344 + 2 * 4096


def test_experts_that_no_token_goes_to_are_not_read():
    graph = archspec.lower("mixtral")
    reads = [read_bytes(graph, "bfloat16", batch) for batch in (1, 8, 512)]
    assert reads == sorted(reads)
    one = archspec.analyze("mixtral").parameters
    assert reads[0] == 2 * (one.active - 32000 * 4096 + 4096)
    assert reads[2] < 2 * one.total


def test_inputs_that_may_be_absent_are_left_out():
    graph = archspec.lower("gpt2")
    sizes = Sizes.of(graph, {"B": 2, "S": 8})
    assert shapes(graph, sizes, "float32") == {"input_ids": ((2, 8), "int64")}
    vision = archspec.lower("vit")
    given = shapes(vision, Sizes.of(vision, {"B": 2}), "bfloat16", loss="classification")
    assert given == {"pixel_values": ((2, 3, 224, 224), "bfloat16"), "labels": ((2,), "int64")}


@pytest.mark.parametrize(
    ("sizes", "more", "code"),
    [
        ({"B": 1, "S": 0}, {}, "A002"),
        ({"B": 1, "Q": 3}, {}, "A002"),
        ({"B": 1, "S": 65}, {}, "A003"),
        ({"B": 1, "S": 8}, {"checkpoint": "some"}, "A004"),
        ({"B": 1, "S": 8}, {"dtype": "bf17"}, "A005"),
        ({"B": 1, "S": 8}, {"precision": "half"}, "D005"),
        ({"B": 1, "S": 8}, {"optimizer": "lion"}, "D005"),
        ({"B": 1, "S": 8}, {"past": -1}, "A002"),
    ],
)
def test_what_makes_no_sense_is_refused(sizes: dict[str, int], more: dict[str, Any], code: str):
    with pytest.raises(ArchspecError) as caught:
        archspec.cost_tables(account("gpt2", sizes, TINY, **more))
    assert [found.code for found in caught.value.diagnostics] == [code]
