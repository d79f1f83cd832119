"""Small reference models with random weights, as their library saves them, and the params that fit."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

IDS = [5, 9, 33, 2]


@dataclass(frozen=True)
class Reference:
    """A reference class with its config, and our spec with its params."""

    spec: str
    kind: str
    config: dict[str, Any]
    params: dict[str, object]
    start: dict[str, Any] = field(default_factory=dict[str, Any])

    def model(self) -> Any:
        """The reference with weights that make it say something."""
        kind = getattr(transformers, self.kind)
        model = kind(kind.config_class(**self.config)).eval()
        torch.manual_seed(0)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                is_table = weight.shape[0] in (self.config["vocab_size"], 32)
                weight.normal_(mean="ln" in name, std=0.3 if is_table or weight.dim() == 1 else 1.0)
        return model

    def save(self, folder: Path) -> Any:
        model = self.model()
        model.save_pretrained(folder)
        return model

    def greedy(self, model: Any, count: int) -> list[int]:
        """What the reference's own greedy search adds to the prompt, or answers to it."""
        ids = torch.tensor([IDS])
        with torch.no_grad():
            out = model.generate(
                ids, max_new_tokens=count, do_sample=False, eos_token_id=None, pad_token_id=0, **self.start
            )
        return out[0, 1 if model.config.is_encoder_decoder else len(IDS) :].tolist()

    @property
    def words(self) -> list[str]:
        """The params as they are given on a command line."""
        return [word for name, value in self.params.items() for word in ("--set", f"{name}={value}".lower())]


SIZES = {"vocab_size": 64, "hidden_size": 16, "num_layers": 2, "num_heads": 2}
DECODER = Reference(
    "gpt2",
    "GPT2LMHeadModel",
    {"vocab_size": 64, "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2},
    {**SIZES, "max_positions": 32},
)
SEQ2SEQ = Reference(
    "t5",
    "T5ForConditionalGeneration",
    {
        "vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2,
        "decoder_start_token_id": 3,
    },
    {
        "vocab_size": 64, "hidden_size": 16, "head_dim": 8, "intermediate_size": 32, "num_heads": 2,
        "num_encoder_layers": 2, "start_token": 3,
    },
    {"decoder_start_token_id": 3},
)  # fmt: skip
ENCODER = Reference(
    "bert",
    "BertForMaskedLM",
    {
        "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 32,
    },
    {**SIZES, "intermediate_size": 32, "max_positions": 32},
)  # fmt: skip
