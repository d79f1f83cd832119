"""What holds of FLOPs whatever the model: they grow evenly, and agree in symbols and numbers."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.analysis.cost import Cost
from archspec.analysis.flops import Flops
from archspec.analysis.sizes import number
from archspec.analysis.tracing import Checkpoint, Training
from archspec.dims import poly
from archspec.dims.poly import Size
from archspec.errors import ArchspecError
from archspec.ir.graph import Graph
from archspec.lowering.lower import lower
from archspec.resolve import load

SMALL: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_layers": 3, "num_heads": 4, "num_kv_heads": 2,
    "vocab_size": 64,
}  # fmt: skip
DECODERS = {
    "llama": SMALL | {"head_dim": 8},
    "mixtral": SMALL | {"num_experts": 4, "top_k": 2, "head_dim": 8},
    "mistral": SMALL | {"window": 5, "head_dim": 8},
    "mamba": {"hidden_size": 32, "num_layers": 3, "vocab_size": 64},
}
NAMES = st.sampled_from(sorted(DECODERS))
LENGTHS, FEW = st.integers(1, 40), st.integers(1, 6)


@cache
def small(name: str, layers: int = 3) -> Graph:
    return lower(load(name, overrides=DECODERS[name] | {"num_layers": layers}))


def whole(graph: Graph, preset: dict[str, int], **more: Any) -> Cost:
    return Flops.of(graph, preset, **more).forward


@settings(deadline=None)
@given(NAMES, FEW, LENGTHS)
def test_linear_in_the_batch(name: str, batch: int, length: int):
    """The products; some work on single elements, such as rotary frequencies, is the same for all."""
    one, many = (whole(small(name), {"B": b, "S": length}).products for b in (1, batch))
    assert many == one.times(batch)


@settings(deadline=None, max_examples=30)
@given(NAMES, st.integers(1, 5), LENGTHS)
def test_linear_in_the_layers(name: str, layers: int, length: int):
    sizes = {"B": 2, "S": length}
    none, one, many = (whole(small(name, count), sizes) for count in (1, 2, layers + 1))
    each = one + none.each(poly.neg)
    assert many == none + each.times(layers)


@settings(deadline=None)
@given(NAMES, FEW, LENGTHS, st.integers(1, 30))
def test_symbols_agree_with_numbers(name: str, batch: int, length: int, past: int):
    found = Flops.of(small(name), {}, past=None, training=Training())
    values = {"B": batch, "S": length, "past": past}
    exact = Flops.of(small(name), {"B": batch, "S": length}, past=past, training=Training())
    for symbolic, numeric in ((found.forward, exact.forward), (found.step, exact.step)):
        at: list[Size] = [poly.evaluate(size, values) for size in (symbolic.full, symbolic.elementwise)]
        assert at == [numeric.full, numeric.elementwise]
        assert symbolic.exact is not None
        if name != "mistral" or min(length, past) >= DECODERS["mistral"]["window"]:
            assert poly.evaluate(symbolic.exact, values) == numeric.exact


@settings(deadline=None)
@given(NAMES, FEW, LENGTHS)
def test_lines_add_up(name: str, batch: int, length: int):
    found = Flops.of(small(name), {"B": batch, "S": length})
    for parts in (found.by_class(), found.by_path(), found.by_path(1)):
        assert sum(parts.values(), start=Cost()) == found.forward


@settings(deadline=None)
@given(LENGTHS, st.integers(0, 40))
def test_steps_add_up_to_the_whole(length: int, past: int):
    """Exact FLOPs of a decoder are the same at once and in two pieces; full ones are not."""
    at_once = whole(small("llama"), {"B": 1, "S": length + past})
    rest = whole(small("llama"), {"B": 1, "S": length}, past=past)
    first = whole(small("llama"), {"B": 1, "S": past}) if past else Cost()
    assert at_once.exact == (first + rest).exact


def test_windows():
    graph, length = small("mistral"), 64
    cost = Flops.of(graph, {"B": 1, "S": length}).by_class()["attention"]
    pairs = length * 5 - 5 * 4 // 2
    assert (cost.full, cost.exact) == (3 * 2 * 4 * 16 * length**2, 3 * 2 * 4 * 16 * pairs)
    symbolic = Flops.of(graph, {"B": 1})
    assert "windows in symbols: exact for S of 5 or more" in symbolic.notes
    exact = symbolic.by_class()["attention"].exact
    assert exact is not None
    assert poly.evaluate(exact, {"S": length}) == cost.exact


def test_layers_of_several_kinds_stand_apart():
    found = Flops.of(lower(load("gemma2")), {"B": 1, "S": 8192}).by_path()
    windows = [found[f"layers.{name}.attn"] for name in ("0,2,4,6,8,10,12,14,16,18,20,22,24",)]
    assert all(cost.exact != cost.full for cost in windows)
    assert "layers.1,3,5,7,9,11,13,15,17,19,21,23,25.attn" in found


CHECKPOINTS: list[tuple[Checkpoint, int]] = [("none", 0), ("full", 3), (1, 3), (2, 2), (5, 1)]


@pytest.mark.parametrize(("checkpoint", "layers"), CHECKPOINTS)
def test_layers_that_run_again(checkpoint: Checkpoint, layers: int):
    """All of a layer but its last product, whose result nobody needs."""
    found = Flops.of(small("llama"), {"B": 1, "S": 16}, training=Training(checkpoint=checkpoint))
    layer = number(found.by_path(1)["layers"].full, "a layer") // 3
    assert found.again.full == layers * (layer - 2 * 16 * 48 * 32)


def test_selective_runs_scores_again():
    found = Flops.of(small("llama"), {"B": 1, "S": 16}, training=Training(checkpoint="selective"))
    assert found.again == Cost(3 * 2 * 4 * 16 * 16 * 8, 3 * 2 * 4 * (16 * 17 // 2) * 8)


def test_dropout_keeps_masks():
    graph = lower(load("gpt2"))
    on, off = (
        Flops.of(graph, {"B": 1, "S": 64}, training=Training(checkpoint="full", dropout=dropout)).again.full
        for dropout in (True, False)
    )
    assert number(on, "on") - number(off, "off") == 12 * 2 * 64 * 3072 * 768


def test_an_image_needs_no_gradient():
    graph = lower(load("vit"))
    found = Flops.of(graph, {"B": 1}, training=Training())
    patches = found.by_class()["conv"]
    assert found.step == found.forward.products.times(3) + patches.products.each(poly.neg)


def test_held_states_are_not_computed_again():
    graph = lower(load("t5"))
    first = Flops.of(graph, {"B": 1, "S": 100, "T": 1}).by_path(1)
    later = Flops.of(graph, {"B": 1, "S": 100, "T": 1}, past=7).by_path(1)
    assert "encoder" in first
    assert "encoder" not in later


WRONG: list[tuple[str, dict[str, int], dict[str, Any], str, str]] = [
    ("gpt2", {"B": 0, "S": 1}, {}, "A002", "B is 0"),
    ("gpt2", {"B": 1, "S": -3}, {}, "A002", "S is -3"),
    ("gpt2", {"batch": 1}, {}, "A002", "no size 'batch'"),
    ("gpt2", {"B": 1, "S": 1}, {"past": -1}, "A002", "-1 tokens"),
    ("gpt2", {"B": 1, "S": 1025}, {}, "A003", "place 1024 is beyond the 1024 rows of 'wpe.weight'"),
    ("gpt2", {"B": 1, "S": 1}, {"past": 1024}, "A003", "place 1024"),
    ("bert", {"B": 1, "S": 513}, {}, "A003", "place 512 is beyond the 512 rows"),
    ("bart", {"B": 1, "S": 9, "T": 1025}, {}, "A003", "rows of 'decoder"),
    ("opt", {"B": 1, "S": 2049}, {}, "A003", "place 2050 is beyond the 2050 rows"),
    ("whisper", {"B": 1, "T": 1}, {"past": 448}, "A003", "place 448 is beyond the 448 rows"),
    ("roberta", {"B": 1, "S": 513}, {}, "A003", "place 514 is beyond the 514 rows"),
    ("gpt2", {"B": 1, "S": 9}, {"training": Training(("logit",))}, "A004", "no output 'logit'"),
    ("gpt2", {"B": 1, "S": 9}, {"training": Training(checkpoint=0)}, "A004", "checkpointing '0'"),
    ("convnext", {"B": 1, "H": 2, "W": 2}, {}, "A002", "at these sizes"),
]


@pytest.mark.parametrize(("spec", "sizes", "more", "code", "message"), WRONG)
def test_refused(spec: str, sizes: dict[str, int], more: dict[str, Any], code: str, message: str):
    with pytest.raises(ArchspecError, match=message) as error:
        Flops.of(lower(load(spec)), sizes, **more)
    assert [found.code for found in error.value.diagnostics] == [code]


def test_as_long_as_the_positions():
    assert Flops.of(lower(load("gpt2")), {"B": 1, "S": 1024}).forward.full
    assert Flops.of(lower(load("roberta")), {"B": 1, "S": 512}).forward.full
    assert Flops.of(lower(load("whisper")), {"B": 1, "T": 1}, past=447).forward.full
    assert Flops.of(lower(load("llama")), {"B": 1, "S": 1 << 20}).forward.full  # rotary: no end


def test_a_number_without_sizes_is_refused():
    full = Flops.of(small("llama"), {"S": 8}).forward.full
    with pytest.raises(ArchspecError, match="depends on B") as error:
        number(full, "the total")
    assert [found.code for found in error.value.diagnostics] == ["A001"]
