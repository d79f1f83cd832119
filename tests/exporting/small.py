"""Small checkpoints of the reference library, and models of them that ONNX Runtime has loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
import transformers

from tests.checkpoints import DECODER, ENCODER, Reference

GATED = Reference(
    "llama",
    "LlamaForCausalLM",
    {
        "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 32, "tie_word_embeddings": False, "rms_norm_eps": 1e-5,
    },
    {
        "vocab_size": 64, "hidden_size": 16, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2,
        "intermediate_size": 32, "rope_theta": 10000.0, "rope_scaling": "none",
    },
)  # fmt: skip
EXPERTS = Reference(
    "mixtral",
    "MixtralForCausalLM",
    {
        "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 32, "num_local_experts": 4, "sliding_window": None,
    },
    {
        "vocab_size": 64, "hidden_size": 16, "num_layers": 1, "num_heads": 4, "num_kv_heads": 2,
        "intermediate_size": 32, "num_experts": 4,
    },
)  # fmt: skip
FAMILIES = {"conv1d": DECODER, "encoder": ENCODER, "gated": GATED}


def saved(reference: Reference, folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """A checkpoint with random weights, in `dtype`; gives the reference, which computes in float32."""
    torch.manual_seed(0)
    kind = getattr(transformers, reference.kind)
    model = kind(kind.config_class(**reference.config)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(mean=float(weight.dim() == 1), std=0.3)
    model.to(dtype).save_pretrained(folder)
    return model.float()


@dataclass(frozen=True)
class Places:
    """Where the tensors of a model lie: in which files, and how many bytes in its own."""

    files: set[str]
    own: int


def places(model: Path) -> Places:
    proto = onnx.load(model, load_external_data=False)
    entries = [{e.key: e.value for e in tensor.external_data} for tensor in proto.graph.initializer]
    own = sum(len(tensor.raw_data) for tensor in proto.graph.initializer)
    return Places({entry["location"] for entry in entries if entry}, own)
