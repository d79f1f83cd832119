"""Words of configuration files and of other libraries, and what is written here in their place."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from archspec.errors import did_you_mean

_PLACE = "a norm's place is where it is written: inside 'residual' is pre-norm, behind it is post-norm"
_WIDTH = "the width is that of the value that flows in: leave it out"
_BUILD = "dtype, device and layout are options of a build: leave it out"
_LAYERS = "write '- layers: {repeat: num_layers, block: layer}'"

# What a field is called elsewhere, by its name here.
_ELSEWHERE = {
    "num_heads": "num_attention_heads n_head n_heads nhead heads attention_heads",
    "num_kv_heads": "num_key_value_heads n_kv_heads kv_heads num_query_groups multi_query_group_num",
    "head_dim": "d_kv attention_head_dim attention_head_size dim_head",
    "dropout": "attention_dropout attn_dropout dropout_p dropout_rate attention_probs_dropout_prob",
    "p": "rate prob probability dropout dropout_p drop_prob",
    "bias": "attention_bias use_bias add_bias qkv_bias mlp_bias",
    "window": "sliding_window window_size attention_window local_window",
    "softcap": "attn_logit_softcapping logit_softcapping logit_softcap soft_cap",
    "activation": "hidden_act hidden_activation activation_function act act_fn nonlinearity activation_fn",
    "fn": "activation act act_fn mode kind",
    "eps": "layer_norm_eps layer_norm_epsilon rms_norm_eps norm_eps epsilon",
    "intermediate_size": "d_ff ffn_dim n_inner ffn_hidden_size inner_dim mlp_dim dim_feedforward ff_dim",
    "out": "out_features out_channels output_size out_dim units output_dim",
    "num": "num_embeddings vocab_size n_vocab num_positions",
    "dim": "embedding_dim embed_dim hidden_size d_model",
    "kernel": "kernel_size",
    "max": "max_position_embeddings n_positions max_positions max_length max_seq_len",
    "mask": "attn_mask attention_mask key_padding_mask",
    "score_bias": "attn_bias position_bias relative_bias",
    "sinks": "sink s_aux attention_sinks",
    "scale": "scale_factor softmax_scale",
    "groups": "num_groups",
    "kv": "context memory encoder_hidden_states key_value_states",
    "max_distance": "relative_attention_max_distance",
    "buckets": "relative_attention_num_buckets num_buckets",
    "target": "labels",
    "in": "input inputs x",
}
_NOTES = {
    "norm_first pre_norm prenorm post_norm normalize_before do_layer_norm_before pre_layernorm": _PLACE,
    "hidden_dim": "'hidden_dim' means two things in this field: 'hidden_size' or 'intermediate_size'",
    "hidden_size d_model n_embd embed_dim in_features in_channels input_size normalized_shape": _WIDTH,
    "causal is_causal": "write 'mask: causal'",
    "rope_theta rotary_base": "write 'rope: {theta: 10000}'",
    "alibi use_alibi": "write 'score_bias: slopes[h] * (k - q)', where slopes has a number for each head",
    "dtype torch_dtype device batch_first": _BUILD,
    "num_layers n_layer n_layers num_hidden_layers": _LAYERS,
}
_OPS = {
    "ffn feed_forward feedforward ff ffwd": "write '{op: mlp, intermediate_size: …}'",
    "swiglu": "write '{op: mlp, gated: true, activation: silu, intermediate_size: …}'",
    "geglu": "write '{op: mlp, gated: true, activation: gelu, intermediate_size: …}'",
    "glu gated_mlp": "write '{op: mlp, gated: true, activation: sigmoid, intermediate_size: …}'",
    "attn mha gqa mqa multi_head_attention self_attention self_attn": "write '{op: attention, num_heads: …}'",
    "cross_attention": "write '{op: attention, kv: memory, num_heads: …}'",
    "dense fc proj projection": "write '{op: linear, out: …}'",
    "embed tok_embed token_embedding word_embedding": "write '{op: embedding, num: …, dim: …}'",
    "pos_embed position_embedding positional_embedding": "write '{op: learned_positions, max: …}'",
    "norm ln": "write 'layernorm' or 'rmsnorm'",
    "maxpool avgpool max_pool avg_pool": "write '{op: pool, fn: max, kernel: …}' or 'fn: mean'",
    "upsample interpolate": "write '{op: resample, scale: 2}'",
    "swish": "write 'silu'",
    "skip identity noop": "leave the step out",
}


def _by_word(table: dict[str, str]) -> dict[str, str]:
    return {word: text for words, text in table.items() for word in words.split()}


_FIELD_NOTES, _OP_NOTES = _by_word(_NOTES), _by_word(_OPS)


def field_meant(word: str, fields: Iterable[str]) -> str | None:
    """The field here that a misspelt or foreign word probably means."""
    known = tuple(fields)
    foreign = next((name for name in known if word in _ELSEWHERE.get(name, "").split()), None)
    if foreign is not None or word in _FIELD_NOTES:
        return foreign
    close = did_you_mean(word, known)
    return next((name for name in known if close == f"did you mean '{name}'?"), None)


def field_hint(word: str, fields: Iterable[str]) -> str:
    """What to write in place of an argument that does not exist."""
    known = tuple(fields)
    meant = field_meant(word, known)
    if meant is not None:
        return f"did you mean '{meant}'?"
    return _FIELD_NOTES.get(word) or f"known here: {', '.join(known) or 'no arguments'}"


def op_hint(word: str, options: Iterable[str]) -> str | None:
    """What to write in place of an op that does not exist."""
    known = tuple(options)
    bare = _plain(word.rpartition(".")[2])
    same = next((name for name in known if _plain(name) == bare), None)
    if same is not None:
        return f"did you mean '{same}'?"
    close = get_close_matches(word, known, 1, 0.7)
    return _OP_NOTES.get(word.lower()) or (f"did you mean '{close[0]}'?" if close else None)


def _plain(word: str) -> str:
    return word.lower().replace("_", "")
