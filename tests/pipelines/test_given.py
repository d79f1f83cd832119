"""Inputs that are neither prompts nor images: features of sound, against the reference class."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

import archspec
from archspec.errors import ArchspecError
from tests.cli.runner import cli, data, found
from tests.parity.draw import generator, randomise
from tests.pipelines.systems import SYSTEM, codes

PARAMS: dict[str, object] = {
    "vocab_size": 59, "num_mel_bins": 7, "max_source_positions": 12, "max_target_positions": 31,
    "hidden_size": 30, "num_encoder_layers": 1, "num_heads": 3, "intermediate_size": 44, "start_token": 2,
    "pad_token": 58,
}  # fmt: skip
RUN = [
    "run",
    "whisper",
    "--init",
    "0",
    *(w for key, value in PARAMS.items() for w in ("--set", f"{key}={value}")),
]


@pytest.fixture(scope="module")
def features() -> dict[str, Tensor]:
    return {"input_features": torch.randn(1, 7, 24, generator=generator("features"))}


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return archspec.compile("whisper", overrides=PARAMS, seed=0)


@pytest.fixture(scope="module")
def file(features: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("features") / "features.safetensors"
    archspec.save_tensors(features, path)
    return path


def test_the_decoder_says_what_the_reference_says(features: dict[str, Tensor], tmp_path: Path):
    config = transformers.WhisperConfig(
        vocab_size=59, num_mel_bins=7, max_source_positions=12, max_target_positions=31, d_model=30,
        encoder_layers=1, decoder_layers=1, encoder_attention_heads=3, decoder_attention_heads=3,
        encoder_ffn_dim=44, decoder_ffn_dim=44, bos_token_id=0, eos_token_id=1, pad_token_id=58,
        decoder_start_token_id=2,
    )  # fmt: skip
    reference: Any = transformers.WhisperForConditionalGeneration(config).eval()
    randomise(reference, 3)
    reference.save_pretrained(tmp_path)
    ids = [2, 17, 5]
    with torch.no_grad():
        for _ in range(6):
            scores = reference(**features, decoder_input_ids=torch.tensor([ids])).logits
            ids.append(int(scores[0, -1].argmax()))
    model = archspec.compile("whisper", overrides=PARAMS, weights=tmp_path)
    assert list(archspec.generate(model, ids[:3], limit=6, inputs=features)) == ids[3:]


def test_without_a_prompt_it_begins_with_the_start(model: nn.Module, features: dict[str, Tensor], file: Path):
    ids = list(archspec.generate(model, [2], limit=3, inputs=features))
    assert data(*RUN, "--inputs", file, "--max-new-tokens", "3") == {"prompt": [], "ids": ids}


def test_one_pass_takes_inputs_by_name(tmp_path: Path):
    context = torch.randn(1, 17, 6, generator=generator("context"))
    noise = {"sample": torch.zeros(1, 4, 8, 8), "timestep": torch.tensor([3]), "context": context}
    archspec.save_tensors(noise, tmp_path / "noise.safetensors")
    words = ("run", SYSTEM, "--graph", "unet", "--init", "0", "--inputs", tmp_path / "noise.safetensors")
    assert cli(*words).stdout == "noise_pred [1, 4, 8, 8]\n"
    assert [code for code, *_ in found(*words, "--prompt-ids", "1")] == ["X004"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "token ids only|only token ids"),
        ({"features": torch.zeros(1, 7, 24)}, "no input 'features'"),
        ({"input_features": torch.zeros(1, 7, 23)}, r"\[1, 7, 23\] is given"),
        ({"input_features": torch.zeros(7, 24)}, r"\[7, 24\] is given"),
        ({"input_features": torch.zeros(2, 7, 24)}, "2 items"),
        ({"decoder_input_ids": torch.zeros(1, 2).long()}, "input_features"),
    ],
)
def test_what_does_not_fit(model: nn.Module, wrong: dict[str, Tensor], words: str):
    with pytest.raises(ArchspecError, match=words) as error:
        list(archspec.generate(model, [2], limit=1, inputs=wrong))
    assert codes(error) == ["X004"]
