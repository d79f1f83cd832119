"""Small models as tables of tensors, and the rules that lead to the layouts of well-known checkpoints."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archspec.weights.arrays import TensorSpec
from archspec.weights.mapping import WeightMap
from archspec.weights.rules import read_rules

Arrays = dict[str, NDArray[np.int64]]


def table(**shapes: tuple[int, ...]) -> dict[str, TensorSpec]:
    """`table(a__b=(2, 3))` is one tensor `a.b`."""
    return {name.replace("__", "."): TensorSpec(shape) for name, shape in shapes.items()}


def layers(count: int, inner: Mapping[str, tuple[int, ...]], prefix: str) -> dict[str, TensorSpec]:
    return {f"{prefix}.{i}.{name}": TensorSpec(shape) for i in range(count) for name, shape in inner.items()}


def build(
    tensors: Mapping[str, TensorSpec], ties: Mapping[str, str] | None = None, /, **rules: Any
) -> WeightMap:
    return WeightMap.build(read_rules(rules), tensors, ties or {})


def numbered(tensors: Mapping[str, TensorSpec]) -> Arrays:
    """Arrays in which every element of the model has a value of its own."""
    arrays, start = dict[str, NDArray[np.int64]](), 0
    for name, spec in tensors.items():
        arrays[name] = np.arange(start, start + spec.size).reshape(spec.shape)
        start += spec.size
    return arrays


def to_hub(weights: WeightMap, ours: Arrays) -> Arrays:
    return dict(weights.to_hub(ours.__getitem__, np))


def from_hub(weights: WeightMap, hub: Arrays) -> Arrays:
    return dict(weights.from_hub(hub.__getitem__, np))


def assert_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


D, V, P, H, L = 8, 11, 7, 2, 2

DECODER = {
    **table(wte__weight=(V, D), wpe__weight=(P, D)),
    **layers(
        L,
        {
            "ln_1.weight": (D,),
            "ln_1.bias": (D,),
            "attn.qkv.weight": (3 * D, D),
            "attn.qkv.bias": (3 * D,),
            "attn.out.weight": (D, D),
            "attn.out.bias": (D,),
            "ln_2.weight": (D,),
            "ln_2.bias": (D,),
            "mlp.up.weight": (4 * D, D),
            "mlp.up.bias": (4 * D,),
            "mlp.down.weight": (D, 4 * D),
            "mlp.down.bias": (D,),
        },
        "h",
    ),
    **table(ln_f__weight=(D,), ln_f__bias=(D,)),
}
DECODER_TIES = {"lm_head.weight": "wte.weight"}
DECODER_RULES: dict[str, Any] = {
    "class": "GPT2LMHeadModel",
    "config": {
        "model_type": "gpt2",
        "n_embd": D,
        "n_layer": L,
        "n_head": H,
        "vocab_size": V,
        "n_positions": P,
        "bos_token_id": 1,
        "eos_token_id": 1,
    },
    "rename": {
        "wte": "transformer.wte",
        "wpe": "transformer.wpe",
        "ln_f": "transformer.ln_f",
        "h.*.attn.qkv": "transformer.h.*.attn.c_attn",
        "h.*.attn.out": "transformer.h.*.attn.c_proj",
        "h.*.mlp.up": "transformer.h.*.mlp.c_fc",
        "h.*.mlp.down": "transformer.h.*.mlp.c_proj",
        "h.*": "transformer.h.*",
    },
    "transpose": ["attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"],
    "ignore": ["attn.bias", "attn.masked_bias"],
    "base_prefix": "transformer",
}


def _attention(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}.weight": (D, D) for part in ("q", "k", "v", "out")}


_FEED = {"ff.ln.weight": (D,), "ff.mlp.up.weight": (12, D), "ff.mlp.down.weight": (D, 12)}
SEQ2SEQ = {
    **table(
        shared__weight=(V, D),
        encoder__rel__weight=(32, H),
        encoder__norm__weight=(D,),
        decoder__rel__weight=(32, H),
        decoder__norm__weight=(D,),
    ),
    **layers(L, {"ln.weight": (D,), **_attention("self"), **_FEED}, "encoder.layers"),
    **layers(
        L,
        {"ln.weight": (D,), **_attention("self"), "ln_cross.weight": (D,), **_attention("cross"), **_FEED},
        "decoder.layers",
    ),
}
SEQ2SEQ_TIES = {"lm_head.weight": "shared.weight"}
SEQ2SEQ_RULES: dict[str, Any] = {
    "class": "T5ForConditionalGeneration",
    "config": {
        "model_type": "t5",
        "d_model": D,
        "d_kv": D // H,
        "d_ff": 12,
        "num_layers": L,
        "num_heads": H,
        "vocab_size": V,
        "decoder_start_token_id": 0,
    },
    "rename": {
        "encoder.rel": "encoder.block.0.layer.0.SelfAttention.relative_attention_bias",
        "decoder.rel": "decoder.block.0.layer.0.SelfAttention.relative_attention_bias",
        "encoder.norm": "encoder.final_layer_norm",
        "decoder.norm": "decoder.final_layer_norm",
        "encoder.layers.*.ff": "encoder.block.*.layer.1",
        "decoder.layers.*.ff": "decoder.block.*.layer.2",
        "decoder.layers.*.ln_cross": "decoder.block.*.layer.1.layer_norm",
        "decoder.layers.*.cross": "decoder.block.*.layer.1.EncDecAttention",
        "encoder.layers.*": "encoder.block.*.layer.0",
        "decoder.layers.*": "decoder.block.*.layer.0",
    },
    "segments": {
        "self": "SelfAttention",
        "ln": "layer_norm",
        "mlp.up": "DenseReluDense.wi",
        "mlp.down": "DenseReluDense.wo",
        "out": "o",
    },
    "alias": {"encoder.embed_tokens.weight": "shared.weight", "decoder.embed_tokens.weight": "shared.weight"},
}


def _linear(name: str, out: int, inner: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, inner), f"{name}.bias": (out,)}


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (D,), f"{name}.bias": (D,)}


ENCODER = {
    **table(embed__word__weight=(V, D), embed__position__weight=(P, D), embed__type__weight=(2, D)),
    **table(embed__norm__weight=(D,), embed__norm__bias=(D,)),
    **layers(
        L,
        {
            **_linear("attn.qkv", 3 * D, D),
            **_linear("attn.out", D, D),
            **_norm("norm_1"),
            **_linear("mlp.up", 12, D),
            **_linear("mlp.down", D, 12),
            **_norm("norm_2"),
        },
        "layers",
    ),
    **table(head__dense__weight=(D, D), head__dense__bias=(D,), head__norm__weight=(D,)),
    **table(head__norm__bias=(D,), head__bias=(V,)),
}
ENCODER_TIES = {"head.decoder.weight": "embed.word.weight"}
ENCODER_RULES: dict[str, Any] = {
    "class": "BertForMaskedLM",
    "config": {
        "model_type": "bert",
        "hidden_size": D,
        "num_hidden_layers": L,
        "num_attention_heads": H,
        "intermediate_size": 12,
        "vocab_size": V,
        "max_position_embeddings": P,
    },
    "rename": {
        "embed": "bert.embeddings",
        "layers.*.attn.out": "bert.encoder.layer.*.attention.output.dense",
        "layers.*.attn": "bert.encoder.layer.*.attention.self",
        "layers.*.norm_1": "bert.encoder.layer.*.attention.output.LayerNorm",
        "layers.*.mlp.up": "bert.encoder.layer.*.intermediate.dense",
        "layers.*.mlp.down": "bert.encoder.layer.*.output.dense",
        "layers.*.norm_2": "bert.encoder.layer.*.output.LayerNorm",
        "head.bias": "cls.predictions.bias",
        "head.decoder": "cls.predictions.decoder",
        "head": "cls.predictions.transform",
    },
    "segments": {
        "word": "word_embeddings",
        "position": "position_embeddings",
        "type": "token_type_embeddings",
        "norm": "LayerNorm",
    },
    "split": {"self.qkv": ["query", "key", "value"]},
    "alias": {"cls.predictions.decoder.bias": "cls.predictions.bias"},
    "accept": {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"},
    "ignore": ["embeddings.position_ids", "bert.pooler", "cls.seq_relationship"],
    "base_prefix": "bert",
}
