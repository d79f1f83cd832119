"""One device's part of a model: what is cut, what it sums to, what is refused."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec import api
from archspec.analysis.sharding import LayoutError, Shardable, shard
from archspec.analysis.sharding.families import Families
from archspec.analysis.sharding.rules import RULES
from archspec.backends.torch.emit import emit
from archspec.ir.graph import Graph, Region, parameter_count, parameters, walk
from archspec.ir.op import REGISTRY
from archspec.ir.ops.contract import Linear
from archspec.ir.verify import verify

MODELS = (
    *("gpt2", "bert", "llama", "mixtral", "t5", "qwen3", "gemma2", "gpt_neox", "bloom", "opt", "deepseek_v2"),
    *("vit", "mamba", "rwkv", "whisper", "gemma", "flux", "resnet", "gpt_oss"),
)


def types(graph: Graph, *paths: str) -> list[list[int]]:
    known = dict(parameters(graph))
    return [[int(size) for size in known[path].value.type.shape] for path in paths]


def test_every_operation_has_a_rule():
    ours = {kind for kind in REGISTRY.values() if kind.__module__.startswith("archspec.ir.")}
    assert set(RULES) == ours


@pytest.mark.parametrize("name", MODELS)
def test_a_part_keeps_the_rules_of_the_ir_and_can_be_emitted(name: str):
    part = shard(api.lower(name), 2).graph
    verify(part)
    compile(emit(part, attention="eager"), name, "exec")


@pytest.mark.parametrize("name", ["mixtral", "deepseek_v2", "switch"])
def test_a_part_of_the_experts_does_too(name: str):
    whole = api.lower(name)
    part = shard(whole, 2, 4).graph
    verify(part)
    compile(emit(part), name, "exec")
    inside = [path for path, _ in parameters(part) if "experts" in path]
    assert len(inside) * 4 == len([path for path, _ in parameters(whole) if "experts" in path])


@pytest.mark.parametrize("name", MODELS)
def test_parts_sum_to_the_whole_and_what_all_devices_hold(name: str):
    whole, tp = api.lower(name), 2
    part = shard(whole, tp).graph
    for (path, one), (_, other) in zip(parameters(part), parameters(whole), strict=True):
        here, all_ = (math.prod(int(s) for s in p.value.type.shape) for p in (one, other))
        padded = tp * here - all_
        assert here == all_ or 0 <= padded <= all_ // 1000, path


def linear_flops(region: Region) -> int:
    """Multiply-adds of one token in all layers' linears."""
    return sum(
        times * math.prod(int(size) for size in node.inputs[1].type.shape)
        for _, inner, times in walk(region)
        for node in inner.nodes
        if not node.regions and isinstance(getattr(node, "op", None), Linear) and node.inputs[1] is not None
    )


@settings(max_examples=25)
@given(
    heads=st.integers(1, 4),
    width=st.integers(1, 3),
    features=st.integers(1, 9),
    tp=st.sampled_from([2, 3, 4, 8]),
    layers=st.integers(1, 3),
)
def test_linears_and_their_flops_divide_evenly(heads: int, width: int, features: int, tp: int, layers: int):
    sizes = {
        "num_heads": heads * tp,
        "hidden_size": heads * tp * width * 2,
        "intermediate_size": features * tp,
    }
    sizes |= {"num_layers": layers, "vocab_size": 16 * tp, "max_positions": 8}
    whole = api.lower(api.load("gpt2", overrides=sizes))
    part = shard(whole, tp).graph
    verify(part)
    assert linear_flops(part.root) * tp == linear_flops(whole.root)


def test_projections_are_cut_by_rows_and_columns_as_megatron_does():
    part = shard(api.lower("llama"), 4).graph
    names = ("attn.q", "attn.k", "attn.out", "mlp.gate", "mlp.down")
    found = types(part, *(f"layers.7.{name}.weight" for name in names))
    assert found == [[1024, 4096], [256, 4096], [4096, 1024], [3584, 4096], [4096, 3584]]
    assert types(part, "embed.weight", "lm_head.weight", "norm.weight") == [
        [32064, 4096],
        [32064, 4096],
        [4096],
    ]


def test_fused_projections_are_cut_piece_by_piece_and_row_biases_stay():
    part = shard(api.lower("gpt2"), 4).graph
    names = ("attn.qkv.weight", "attn.qkv.bias", "attn.out.weight", "attn.out.bias", "mlp.down.bias")
    assert types(part, *(f"h.0.{name}" for name in names)) == [[576, 768], [576], [768, 192], [768], [768]]
    assert types(part, "wte.weight", "wpe.weight") == [[12565, 768], [1024, 768]]  # 50257 is padded to 50260


def test_a_mixer_is_cut_along_its_channels():
    part = shard(api.lower("mamba"), 2).graph
    names = (
        "A_log",
        "D",
        "in_proj.weight",
        "conv1d.weight",
        "x_proj.weight",
        "dt_proj.weight",
        "out_proj.weight",
    )
    found = types(part, *(f"layers.0.mixer.{name}" for name in names))
    assert found == [[768, 16], [768], [1536, 768], [768, 1, 4], [80, 768], [768, 48], [768, 768]]


@pytest.mark.parametrize(("tp", "rows"), [(2, 512), (8, 128), (16, 128), (32, 128)])
def test_key_heads_fewer_than_devices_are_held_by_several(tp: int, rows: int):
    part = shard(api.lower("llama"), tp).graph  # 32 heads on 8 key heads of width 128
    verify(part)
    assert types(part, "layers.0.attn.k.weight", "layers.0.attn.q.weight") == [
        [rows, 4096],
        [4096 // tp, 4096],
    ]


def test_what_stays_whole_is_reported_with_its_reason():
    reasons = {whole.weight: whole.reason for whole in shard(api.lower("olmo2"), 2).whole}
    assert reasons["layers.0.attn.q.weight"] == "rms_norm needs it whole"
    assert reasons["embed.weight"] == "rms_norm needs it whole"  # the stream between regions


SCORED = """\
archspec: 1
name: case
inputs: {x: "[B, S, 8]"}
model:
  - slopes: {op: param, shape: [4], init: ones}
  - h: x
  - residual: [{norm: layernorm}, {attn: {op: attention, num_heads: 4, score_bias: "SCORE"}}]
  - mlp: [{norm: layernorm}, {mlp: {op: mlp, intermediate_size: 16}}]
outputs: {y: mlp}
"""


def scored(tmp_path: Path, score: str) -> Graph:
    path = tmp_path / "case.yaml"
    path.write_text(SCORED.replace("SCORE", score), encoding="utf-8")
    return api.lower(api.load(path))


def test_what_a_score_looks_up_for_a_head_is_cut_as_heads_are(tmp_path: Path):
    part = shard(scored(tmp_path, "slopes[h] * (k - q)"), 2).graph
    verify(part)
    assert types(part, "slopes", "attn.q.weight", "mlp.mlp.up.weight") == [[2], [4, 8], [8, 8]]


def test_heads_whose_score_asks_for_their_number_stay_whole(tmp_path: Path):
    found = shard(scored(tmp_path, "slopes[h] * (k - q) * (h + 1)"), 2)
    assert types(found.graph, "slopes", "attn.q.weight", "mlp.mlp.up.weight") == [[4], [8, 8], [8, 8]]
    reasons = {whole.weight: whole.reason for whole in found.whole}
    assert reasons["slopes"] == "the score asks for the head's number"


REFUSED = [
    ("gpt2", 5, 1, "G001", "tp 5 does not divide num_heads = 12", "tp 4 or 6 would do"),
    ("t5", 16, 1, "G001", "tp 16 does not divide num_heads = 8", "tp 8 would do"),
    ("swin", 2, 1, "G001", "tp 2 does not divide num_heads = 3", "tp 1 or 3 would do"),
    ("mixtral", 1, 3, "G004", "ep 3 does not divide 8 experts", "ep 2 or 4 would do"),
    ("llama", 1, 2, "G005", "ep 2: 'llama' has no experts to spread", "ep 1"),
    ("llama", 0, 1, "G006", "tp is 0, not 1 or more", None),
    ("llama", 1, -2, "G006", "ep is -2, not 1 or more", None),
]


@pytest.mark.parametrize(("name", "tp", "ep", "code", "message", "hint"), REFUSED)
def test_impossible_sizes_are_refused(name: str, tp: int, ep: int, code: str, message: str, hint: str | None):
    with pytest.raises(LayoutError) as caught:
        shard(api.lower(name), tp, ep)
    found = {(d.code, d.message, d.hint) for d in caught.value.diagnostics}
    assert (code, message, hint) in found


def test_key_heads_that_fit_no_group_are_refused():
    spec = api.load("llama", overrides={"num_heads": 24, "num_kv_heads": 6, "head_dim": 128})
    with pytest.raises(LayoutError, match="tp 4 neither divides the num_kv_heads = 6 key heads") as caught:
        shard(api.lower(spec), 4)
    assert [(d.code, d.hint) for d in caught.value.diagnostics] == [
        ("G002", "tp 2 would do")
    ]  # 14336 features


def test_a_model_with_nothing_to_cut_says_what_is_in_the_way():
    model = Shardable(api.lower("olmo2"))
    model.found = Families((), model.found.whole)
    with pytest.raises(
        LayoutError, match="tp 2 has nothing to cut: embed.weight .*rms_norm needs it whole"
    ) as caught:
        model.shard(2)
    assert [d.code for d in caught.value.diagnostics] == ["G003"]


def test_one_device_has_the_whole_model():
    graph = api.lower("gpt2")
    sharded = shard(graph)
    assert sharded.graph == graph
    assert sharded.collectives == ()
    assert parameter_count(sharded.graph) == 124_439_808


def test_convolutions_that_do_not_divide_stay_whole_and_are_reported():
    sharded = shard(api.lower(api.load("sd15", overrides={"latent_channels": 3})), 2)
    left = {whole.weight: whole.reason for whole in sharded.whole if "divide" in whole.reason}
    assert left == {"vae_decoder.quantize.weight": "tp 2 does not divide it"}
    verify(sharded.graph)
