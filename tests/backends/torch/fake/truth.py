"""Models of which reference implementations were measured once, and the tables of what was found."""

import csv
from functools import lru_cache
from pathlib import Path

from archspec import api
from archspec.backends.torch.fake.trace import Inputs, Subject

TINY = {
    "vocab_size": 1000, "hidden_size": 256, "num_layers": 4, "num_heads": 8, "num_kv_heads": 2,
    "head_dim": 32, "intermediate_size": 688,
}  # fmt: skip
SPECS = {
    "llama-tiny": api.load("llama", overrides=TINY),
    "bert-base": api.load("bert", preset="encoder"),
    "gpt2": api.load("gpt2"),
    "llama2-7b": api.load("llama", preset="2-7b"),
    "sd15-unet": api.load("sd15", graph="unet"),
    "sd15-text": api.load("sd15", graph="text_encoder"),
    "sd15-vae-dec": api.load("sd15", graph="vae_decoder"),
}
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "bf16ac": "float32"}


@lru_cache
def subject(model: str, attention: str) -> Subject:
    return Subject(api.source(SPECS[model], attention=attention), model)


def table(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def inputs_of(model: str, batch: int, length: int, dtype: str = "float32") -> Inputs:
    if model == "sd15-vae-dec":
        return {"latents": ((1, 4, 64, 64), dtype)}
    if model == "sd15-unet":
        text = ((1, 77, 768), dtype)
        return {"sample": ((1, 4, 64, 64), dtype), "timestep": ((1,), "int64"), "encoder_hidden_states": text}
    return {"input_ids": ((batch, length), "int64")}
