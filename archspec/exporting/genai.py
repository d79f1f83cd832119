"""genai_config.json: how onnxruntime-genai runs a decoder.

https://onnxruntime.ai/docs/genai/reference/config.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from archspec.backends.onnx.naming import is_fixed
from archspec.backends.onnx.save import Written
from archspec.backends.onnx.walk import states
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Apply, Graph, State, walk
from archspec.ir.ops.attention import Attention

FILE = "genai_config.json"
CONTEXT = ("max_position_embeddings", "n_positions")  # the hub's words for the longest text
UNBOUNDED = 2**20  # of a model that states no longest text
TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")
NAMES = {
    "inputs": {"past_key_names": "past_key_values.%d.key", "past_value_names": "past_key_values.%d.value"},
    "outputs": {"present_key_names": "present.%d.key", "present_value_names": "present.%d.value"},
}


def config(graph: Graph, written: Mapping[str, Written], hub: Mapping[str, object]) -> str:
    """The text of the file, for one model with a cache of keys and values.

    `hub`: what the config of the checkpoint says. Raises UnsupportedError O040 where there is no such cache.
    """
    name, model = next(iter(written.items()))
    caches = list(_caches(graph))
    if len(written) != 1 or not caches:
        message = (
            f"onnxruntime-genai runs decoders of one model with keys and values, and '{graph.name}' is none"
        )
        raise UnsupportedError(Diagnostic("O040", message, None, "choose another layout"))
    length = next((hub[key] for key in CONTEXT if key in hub), UNBOUNDED)
    decoder: dict[str, object] = {
        "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
        "filename": name,
        **_heads(graph, caches),
        "inputs": {port.name: port.name for port in model.inputs if "." not in port.name} | NAMES["inputs"],
        "outputs": {"logits": "logits"} | NAMES["outputs"],
    }
    tokens = {key: hub.get(key) or 0 for key in TOKENS}
    whole: dict[str, object] = {
        "type": "decoder",
        "vocab_size": _words(graph),
        "context_length": length,
        **tokens,
        "decoder": decoder,
    }
    search = {"do_sample": False, "num_beams": 1, "max_length": length, "past_present_share_buffer": False}
    return json.dumps({"model": whole, "search": search}, indent=2) + "\n"


def _caches(graph: Graph) -> Iterator[State]:
    """Keys and values of every layer. Raises UnsupportedError O040 for state of another kind."""
    for path, state in states(graph):
        if is_fixed(state):
            continue
        if state.kind != "append" or len(state.types) != 2 or state.types[0].rank != 4:
            message = f"onnxruntime-genai keeps keys and values, and '{path}' is state of another kind"
            raise UnsupportedError(Diagnostic("O040", message, None, "choose another layout"))
        yield state


def _heads(graph: Graph, caches: list[State]) -> dict[str, Any]:
    """Sizes of the cache [B, H, S, E], and the heads of queries."""
    keys = caches[0].types[0].shape
    heads = next(
        int(node.inputs[0].type.shape[1])
        for _, region, _ in walk(graph.root)
        for node in region.nodes
        if isinstance(node, Apply) and isinstance(node.op, Attention) and node.inputs[0] is not None
    )
    return {
        "num_hidden_layers": len(caches),
        "num_attention_heads": heads,
        "num_key_value_heads": int(keys[1]),
        "head_size": int(keys[3]),
        "hidden_size": heads * int(keys[3]),
    }


def _words(graph: Graph) -> int:
    """How many tokens get a score."""
    return int(next(value for name, value in graph.outputs if name.endswith("logits")).type.shape[-1])
