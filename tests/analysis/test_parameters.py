"""Parameters by place, kind and use."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.analysis.parameters import Parameters
from archspec.errors import ArchspecError
from archspec.ir.graph import parameter_count
from archspec.lowering.lower import lower
from archspec.resolve import load

# Counted on transformers 5.23.0's classes with the released configurations, on the meta device, tied once.
COUNTS: list[tuple[str, str | None, dict[str, Any], int]] = [
    ("gpt2", "xl", {}, 1_557_611_200),
    ("opt", None, {}, 125_239_296),
    ("gpt_neox", "20b", {}, 20_554_567_680),
    ("bloom", "176b", {}, 176_247_271_424),
    ("llama", "2-70b", {}, 68_976_648_192),
    ("llama", "405b", {}, 405_853_388_800),
    ("mistral", None, {}, 7_241_732_096),
    ("mixtral", None, {}, 46_702_792_704),
    ("qwen2", "0.5b", {}, 494_032_768),
    ("gemma", None, {}, 2_506_172_416),
    ("mamba", None, {}, 129_135_360),
    ("albert", "encoder", {}, 11_683_584),
    ("t5", None, {}, 60_506_624),
    ("longformer", "encoder", {}, 148_659_456),
    ("vit", "large", {}, 304_326_632),
    ("clip", None, {}, 151_277_313),
]


@pytest.mark.parametrize(("spec", "preset", "params", "count"), COUNTS)
def test_counts(spec: str, preset: str | None, params: dict[str, Any], count: int):
    graph = lower(load(spec, preset=preset, overrides=params))
    found = Parameters.of(graph)
    assert found.total == count == parameter_count(graph)
    assert sum(found.by_component().values()) == sum(found.by_path().values()) == count


# Billions of parameters per token as published: Jiang et al. 2024, arXiv:2401.04088; DeepSeek-AI 2024,
# arXiv:2412.19437, table 1; DeepSeek-AI 2024, arXiv:2405.04434.
@pytest.mark.parametrize(
    ("spec", "preset", "billions"),
    [("mixtral", None, 13), ("deepseek_v3", "671b", 37), ("deepseek_v2", "236b", 21)],
)
def test_active(spec: str, preset: str | None, billions: int):
    found = Parameters.of(lower(load(spec, preset=preset)))
    assert found.active == pytest.approx(billions * 1e9, rel=0.03)


def test_a_dense_model_is_all_active():
    found = Parameters.of(lower(load("gpt2")))
    assert found.active == found.total == found.trainable


def test_experts_that_are_not_chosen_are_not_active():
    params = {"num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8, "hidden_size": 32}
    params |= {"num_experts": 8, "top_k": 2, "intermediate_size": 48}
    found = Parameters.of(lower(load("mixtral", overrides=params)))
    assert found.total - found.active == 2 * 6 * 3 * 32 * 48


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 6), st.integers(1, 9))
def test_tied_tensors_count_once(layers: int, width: int):
    params = {"num_layers": layers, "hidden_size": 12 * width, "vocab_size": 100}
    found = Parameters.of(lower(load("gpt2", overrides=params)))
    assert found.tied == (("lm_head.weight", "wte.weight"),)
    assert "lm_head" not in found.by_path(1)
    assert found.by_path(1)["wte"] == 100 * 12 * width


def test_buffers_are_not_learned():
    found = Parameters.of(lower(load("resnet")))
    statistics = {t.name: t.dtype for t in found.tensors if not t.trainable}
    assert set(statistics.values()) == {"float", "int64"}
    numbers = sum(t.elements * t.count for t in found.tensors if t.dtype == "int64")
    half = found.bytes("bfloat16")
    assert half == 2 * (found.total + found.buffers - numbers) + 8 * numbers
    assert found.bytes("bfloat16", buffers=False) == 2 * found.total


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ArchspecError, match="no model is kept in 'bf16'") as error:
        Parameters.of(lower(load("gpt2"))).bytes("bf16")
    assert [found.code for found in error.value.diagnostics] == ["A005"]
