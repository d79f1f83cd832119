"""Bytes that decoding keeps."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch

from archspec import api
from archspec.analysis.state import StateBytes
from archspec.lowering.lower import lower
from archspec.resolve import load
from tests.parity.catalog import ALL, Model
from tests.parity.draw import draw

# Bytes of keys and values per token in bf16, from the configurations of transformers 5.23.0. Published
# too: OPT-13B by Kwon et al. 2023, arXiv:2309.06180, section 3; Llama 3.1 405B by DeepSeek-AI 2025,
# arXiv:2505.09343, table 1.
PER_TOKEN: list[tuple[str, str | None, int]] = [
    ("gpt2", None, 36864),
    ("gpt2", "xl", 307200),
    ("gpt2", "gpt3", 4718592),
    ("opt", None, 36864),
    ("opt", "13b", 819200),
    ("gpt_neox", "pythia-70m", 12288),
    ("gpt_neox", "20b", 1081344),
    ("bloom", "176b", 4014080),
    ("llama", "2-7b", 524288),
    ("llama", "2-70b", 327680),
    ("llama", None, 131072),
    ("llama", "405b", 516096),
    ("llama", "tiny-1.1b", 22528),
    ("mistral", None, 131072),
    ("mixtral", None, 131072),
    ("qwen2", "0.5b", 12288),
    ("qwen2", None, 57344),
    ("gemma", None, 18432),
    ("mamba", None, 0),
    ("bert", None, 0),
]


@pytest.mark.parametrize(("spec", "preset", "count"), PER_TOKEN)
def test_per_token(spec: str, preset: str | None, count: int):
    found = StateBytes.of(lower(load(spec, preset=preset)))
    assert found.per_token == found.latent_per_token == count


def test_a_latent_is_smaller_than_what_is_kept():
    """DeepSeek-AI 2025, arXiv:2505.09343, table 1: 70,272 bytes. Kept are keys and values of all heads."""
    found = StateBytes.of(lower(load("deepseek_v3", preset="671b")))
    assert found.latent_per_token == 61 * (512 + 64) * 2 == 70272
    assert found.per_token == 61 * 128 * (128 + 64 + 128) * 2


def test_windows_look_back_a_bounded_way():
    found = StateBytes.of(lower(load("mistral")))
    assert found.at(32768) == found.per_token * 32768
    assert found.windowed(32768) == found.per_token * 4096
    assert found.windowed(100, batch=3) == found.per_token * 300


def test_half_of_the_layers_have_windows():
    found = StateBytes.of(lower(load("gemma2")))
    assert found.windowed(8192) == found.per_token * (8192 + 4096) // 2


def test_a_recurrence_keeps_the_same_at_any_length():
    found = StateBytes.of(lower(load("mamba")))
    layer = 1536 * 3 * 2 + 1536 * 16 * 4  # inputs of the filter in bf16, the state in fp32
    assert found.at(1) == found.at(10**6) == 24 * layer
    assert found.at(1, batch=5) == 5 * 24 * layer


DECODERS = [
    pytest.param(m, id=m.name)
    for m in ALL
    if m.decode and m.name in ("llama", "t5", "mamba", "gemma2", "bart")
]


@pytest.mark.parametrize("model", DECODERS)
def test_the_cache_of_the_emitted_model(model: Model):
    """What tensors its cache holds after a whole sequence."""
    module: Any = api.compile(
        model.spec, preset=model.preset, overrides=model.params, attention="eager", seed=0
    )
    name, case = next(iter(model.cases.items()))
    given = draw(case, case.inputs, model.name, name)
    assert model.decode
    batch, length = given[model.decode.steps[0]].shape
    cache = module.make_cache(length)
    module(**given, cache=cache)
    kept = {t.data_ptr(): t.nbytes for t in tensors(cache)}
    sizes = {d: case.sizes[d] for d in module.graph.dims if d in case.sizes}
    expected = StateBytes.of(module.graph, "float32").at(length, batch=batch, sizes=sizes)
    assert sum(kept.values()) == expected


def tensors(kept: Any) -> Iterator[torch.Tensor]:
    """All tensors in a cache, which is a part, or parts in lists and tuples."""
    if isinstance(kept, torch.Tensor):
        yield kept
    elif isinstance(kept, list | tuple):
        for part in cast("list[Any]", kept):
            yield from tensors(part)
    else:
        yield from tensors(kept.kept)
