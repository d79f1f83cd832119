"""Folders that transformers writes are read, and folders that we write are read by transformers."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from archspec.errors import WeightsError
from archspec.weights.arrays import TensorSpec
from archspec.weights.folder import hub_config, open_checkpoint
from archspec.weights.load_torch import load_state
from archspec.weights.mapping import WeightMap
from archspec.weights.rules import read_rules
from archspec.weights.save_torch import save_folder
from tests.weights.models import (
    DECODER,
    DECODER_RULES,
    DECODER_TIES,
    ENCODER,
    ENCODER_RULES,
    ENCODER_TIES,
    SEQ2SEQ,
    SEQ2SEQ_RULES,
    SEQ2SEQ_TIES,
    build,
)

MODELS = {
    "decoder": (DECODER, DECODER_TIES, DECODER_RULES),
    "seq2seq": (SEQ2SEQ, SEQ2SEQ_TIES, SEQ2SEQ_RULES),
    "encoder": (ENCODER, ENCODER_TIES, ENCODER_RULES),
}


def reference(rules: dict[str, Any]) -> Any:
    """A small model of the rules' class, every tensor random."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(**rules["config"])
    model = getattr(transformers, rules["class"])(config).eval()
    for parameter in model.parameters():
        torch.nn.init.uniform_(parameter, -0.5, 0.5)
    return model


@pytest.fixture(params=MODELS)
def case(request: pytest.FixtureRequest) -> tuple[WeightMap, dict[str, Any]]:
    tensors, ties, rules = MODELS[request.param]
    return build(tensors, ties, **rules), rules


@pytest.mark.parametrize("shards", ["1GB", "5KB"])
def test_from_transformers_and_back(tmp_path: Path, case: tuple[WeightMap, dict[str, Any]], shards: str):
    weights, rules = case
    model = reference(rules)
    model.save_pretrained(tmp_path / "in", max_shard_size=shards)
    state = load_state(tmp_path / "in", weights)
    size = 5000 if shards == "5KB" else 10**9
    save_folder(state, weights, tmp_path / "out", hub_config(read_rules(rules)), shard_size=size)
    again, info = type(model).from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(info.values())
    expected, got = model.state_dict(), again.state_dict()
    assert expected.keys() == got.keys()
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, got[name])] == []
    assert (len(list((tmp_path / "out").glob("*.safetensors"))) > 1) == (shards == "5KB")


def test_the_auto_class_finds_the_model(tmp_path: Path, case: tuple[WeightMap, dict[str, Any]]):
    weights, rules = case
    model = reference(rules)
    model.save_pretrained(tmp_path / "in")
    config = hub_config(read_rules(rules))
    save_folder(load_state(tmp_path / "in", weights), weights, tmp_path / "out", config)
    found = transformers.AutoModel.from_pretrained(tmp_path / "out")
    assert found.config.model_type == rules["config"]["model_type"]
    assert torch.equal(found.get_input_embeddings().weight, model.get_input_embeddings().weight)


def repeated(folder: Path, rules: dict[str, Any], **changes: torch.Tensor) -> dict[str, torch.Tensor]:
    reference(rules).save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    return {**tensors, **changes}


def test_a_published_decoder_has_bare_names_and_masks(tmp_path: Path):
    tensors = repeated(tmp_path, DECODER_RULES)
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    save_file({**bare, "h.0.attn.bias": torch.ones(1, 1, 7, 7)}, tmp_path / "model.safetensors")
    state = load_state(tmp_path, build(DECODER, DECODER_TIES, **DECODER_RULES))
    assert torch.equal(state["h.1.attn.qkv.weight"], tensors["transformer.h.1.attn.c_attn.weight"].T)


def test_a_published_seq2seq_repeats_its_embedding(tmp_path: Path):
    weights = build(SEQ2SEQ, SEQ2SEQ_TIES, **SEQ2SEQ_RULES)
    tensors = repeated(tmp_path, SEQ2SEQ_RULES)
    aliases = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
    copies = {name: tensors["shared.weight"].clone() for name in aliases}
    save_file({**tensors, **copies}, tmp_path / "model.safetensors")
    assert torch.equal(load_state(tmp_path, weights)["shared.weight"], tensors["shared.weight"])
    for name in aliases:
        save_file({**tensors, name: copies[name] + 1}, tmp_path / "model.safetensors")
        with pytest.raises(WeightsError, match="W043"):
            load_state(tmp_path, weights)


def test_a_published_encoder_has_older_names_and_more_heads(tmp_path: Path):
    tensors = repeated(tmp_path, ENCODER_RULES)
    older = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for name, tensor in tensors.items()}
    older = {name.replace("LayerNorm.bias", "LayerNorm.beta"): tensor for name, tensor in older.items()}
    older["cls.predictions.decoder.bias"] = older.pop("cls.predictions.bias")
    more = {"cls.seq_relationship.weight": torch.ones(2, 8), "bert.pooler.dense.bias": torch.ones(8)}
    save_file({**older, **more}, tmp_path / "model.safetensors")
    state = load_state(tmp_path, build(ENCODER, ENCODER_TIES, **ENCODER_RULES))
    key = tensors["bert.encoder.layer.1.attention.self.key.weight"]
    assert torch.equal(state["layers.1.attn.qkv.weight"][8:16], key)
    assert torch.equal(state["head.norm.weight"], tensors["cls.predictions.transform.LayerNorm.weight"])
    assert torch.equal(state["head.bias"], older["cls.predictions.decoder.bias"])


FUSED = "query_key_value"


def fused_case(
    folder: Path, name: str, heads: int, kv: int, **config: Any
) -> tuple[Any, dict[str, TensorSpec]]:
    """A saved reference that fuses its projections, and our table with q, k and v apart; heads of 8 rows."""
    kind = transformers.AutoConfig.for_model(
        name, hidden_size=8 * heads, num_attention_heads=heads, num_hidden_layers=1, vocab_size=20,
        bos_token_id=1, eos_token_id=1, **config,
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(kind).eval()
    model.save_pretrained(folder)
    tensors = dict(open_checkpoint(folder).tensors)
    for stored in [stored for stored in tensors if FUSED in stored]:
        inner = tensors.pop(stored).shape[1:]
        for part, count in (("q", heads), ("k", kv), ("v", kv)):
            tensors[stored.replace(FUSED, part)] = TensorSpec((8 * count, *inner))
    return model, tensors


def projected(state: dict[str, torch.Tensor], part: str, x: torch.Tensor) -> torch.Tensor:
    """[B, S, heads, 8] of one of our projections."""
    weight, bias = (
        next(state[n] for n in state if n.endswith(f".{part}.{kind}")) for kind in ("weight", "bias")
    )
    return torch.nn.functional.linear(x, weight, bias).unflatten(-1, (-1, 8))


def test_a_reference_that_fuses_by_head(tmp_path: Path):
    """The reader of this class views its fused output as [heads, 3 · d]."""
    model, tensors = fused_case(tmp_path, "gpt_neox", 4, 4, intermediate_size=16)
    interleave = {FUSED: {"groups": 4, "parts": 3}}
    state = load_state(tmp_path, build(tensors, fuse={FUSED: ["q", "k", "v"]}, interleave=interleave))
    x = torch.randn(1, 5, 32)
    fused = model.gpt_neox.layers[0].attention.query_key_value(x).view(1, 5, 4, 24)
    for part, theirs in zip("qkv", fused.chunk(3, dim=-1), strict=True):
        torch.testing.assert_close(projected(state, part, x), theirs)


def test_a_reference_that_fuses_by_group(tmp_path: Path):
    """The reader of this class takes [groups, n + 2, d] apart itself, and repeats keys and values."""
    more = {"num_kv_heads": 2, "new_decoder_architecture": True, "bias": True}
    model, tensors = fused_case(tmp_path, "falcon", 4, 2, **more)
    interleave = {FUSED: {"groups": 2, "parts": [2, 1, 1]}}
    state = load_state(tmp_path, build(tensors, fuse={FUSED: ["q", "k", "v"]}, interleave=interleave))
    x = torch.randn(1, 5, 32)
    attention = model.transformer.h[0].self_attention
    theirs = attention._split_heads(attention.query_key_value(x))
    for part, expected in zip("qkv", theirs, strict=True):
        ours = projected(state, part, x)
        torch.testing.assert_close(ours.repeat_interleave(4 // ours.shape[2], dim=2), expected)
