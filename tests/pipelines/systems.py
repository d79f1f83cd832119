"""Tiny references with random weights, and the params that make our specs the same."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import transformers

from archspec.errors import ArchspecError
from tests.parity.draw import randomise

diffusers: Any = importlib.import_module("diffusers")

LATENT: dict[str, object] = {
    "vocab_size": 43, "max_positions": 17, "text_hidden_size": 20, "text_intermediate_size": 30,
    "text_num_layers": 1, "text_num_heads": 4, "channels": [12, 18, 24, 24], "num_res_blocks": 1,
    "num_heads": 3, "groups": 3, "vae_channels": [6, 12, 12, 18], "vae_res_blocks": 1,
}  # fmt: skip
SYSTEM = Path(__file__).with_name("system.yaml")
CLASSES: dict[str, object] = {"sample_size": 8, "num_layers": 2, "num_heads": 3, "head_dim": 8}


def latent_system(text_layers: int = 1) -> dict[str, Any]:
    """A text encoder, a denoiser and an autoencoder."""
    text = transformers.CLIPTextConfig(
        vocab_size=43, max_position_embeddings=17, hidden_size=20, intermediate_size=30,
        num_hidden_layers=text_layers, num_attention_heads=4, bos_token_id=None, eos_token_id=2,
    )  # fmt: skip
    made: dict[str, Any] = {
        "text_encoder": transformers.CLIPTextModel(text),
        "unet": diffusers.UNet2DConditionModel(
            block_out_channels=(12, 18, 24, 24), layers_per_block=1, attention_head_dim=3,
            cross_attention_dim=20, norm_num_groups=3,
        ),
        "vae": diffusers.AutoencoderKL(
            block_out_channels=(6, 12, 12, 18), layers_per_block=1, norm_num_groups=3,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        ),
    }  # fmt: skip
    for seed, model in enumerate(made.values()):
        randomise(model.eval(), seed)
    return made


def saved(system: dict[str, Any], folder: Path) -> Path:
    for name, model in system.items():
        model.save_pretrained(folder / name)
    return folder


def codes(found: pytest.ExceptionInfo[ArchspecError]) -> list[str]:
    """The codes of what was raised."""
    return [each.code for each in found.value.diagnostics]
