"""Small models with weights of their own, exported for a client, and the client in its own environment."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec.decode import decode
from archspec.exporting.format import Format
from archspec.spec.spec import Spec

HERE = Path(__file__).parent
TINY = {"hidden_size": 16, "num_heads": 2, "vocab_size": 37}
GPT2 = {**TINY, "num_layers": 2, "max_positions": 32}
LLAMA = {**TINY, "num_heads": 4, "num_layers": 2, "num_kv_heads": 2, "head_dim": 8, "intermediate_size": 32}
BERT = {**TINY, "num_layers": 2, "max_positions": 32, "intermediate_size": 32}
T5 = {**TINY, "num_encoder_layers": 2, "num_decoder_layers": 2, "head_dim": 8, "intermediate_size": 32}
SPECS = {"gpt2": GPT2, "llama": LLAMA, "bert": BERT, "t5": T5}


def python(client: str) -> str:
    """The interpreter of a client's environment; the test is skipped where `make clients` did not make it."""
    found = Path(sys.prefix, "clients", client, "bin", "python")
    if not found.exists():
        pytest.skip(f"{client} is not installed: make clients")
    return str(found)


def run(client: str, script: str, *words: object, given: str = "") -> str:
    """What a script says in a client's environment."""
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    command = [python(client), str(HERE / script), *map(str, words)]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=300, check=False, env=settings
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def spec(name: str, **changed: object) -> Spec:
    return archspec.load(name, overrides={**SPECS[name], **changed})


def model(of: Spec, seed: int = 1) -> Any:
    """Every tensor random: what a model starts with hides bugs."""
    made: Any = archspec.compile(of, seed=0)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in made.parameters():
            tensor += torch.randn(tensor.shape, generator=random) * 0.3
    return made


def export(of: Spec, made: Any, folder: Path, format: Format) -> None:
    """Into a folder, verified on the way."""
    archspec.export(of, folder, weights=made, format=format)


def greedy(of: Spec, made: Any, prompt: list[int], limit: int, eos: int | None = None) -> list[int]:
    return list(decode(made, made.graph, prompt, limit=limit, start=archspec.start_token(of), eos=eos))
