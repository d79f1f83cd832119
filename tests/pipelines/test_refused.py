"""What sampling cannot do is said with a code, before anything is computed."""

from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec.errors import ArchspecError
from archspec.pipelines.parts import Parts
from tests.pipelines.systems import CLASSES, SYSTEM, codes


@pytest.fixture(scope="module")
def latent() -> Parts:
    return archspec.parts(SYSTEM, seed=0)


@pytest.fixture(scope="module")
def classes() -> Parts:
    return archspec.parts("dit", overrides=CLASSES, seed=0)


ONCE: dict[str, Any] = {"steps": 1, "sizes": {"H": 1, "W": 1}}


@pytest.mark.parametrize(
    ("prompt", "more", "code", "words"),
    [
        ([1], {"steps": 0}, "X010", "take 1 to 999 steps"),
        ([1], {"steps": -3}, "X010", "-3 steps"),
        ([1], {"steps": 1000}, "X010", "1000 steps"),
        ([], {}, "X010", "input_ids int64[B, L]"),
        ([1] * 18, {}, "X013", "18 ids, more than 17"),
        ([1], {"negative": [1] * 18}, "X013", "18 ids"),
        ([1], {"negative": []}, "X013", "empty"),
        ([43], {}, "X006", "text_encoder.tokens 43"),
        ([1], {"sizes": {"h": 1}}, "X010", "no size 'h'"),
        ([1], {"sizes": {"H": 1, "L": 1}}, "X010", "no size 'L'"),
    ],
)
def test_latents(latent: Parts, prompt: list[int], more: dict[str, Any], code: str, words: str):
    with pytest.raises(ArchspecError) as found:
        archspec.sample(latent, prompt, **(ONCE | more))
    assert codes(found) == [code]
    assert words in str(found.value)


@pytest.mark.parametrize(
    ("prompt", "code", "words"),
    [([], "X010", "class_labels"), ([1, 2], "X010", "one id, not 2"), ([1001], "X006", "label")],
)
def test_classes(classes: Parts, prompt: list[int], code: str, words: str):
    with pytest.raises(ArchspecError) as found:
        archspec.sample(classes, prompt, steps=1)
    assert codes(found) == [code]
    assert words in str(found.value)


def test_a_spec_that_does_not_say_how(tmp_path: Path):
    with pytest.raises(ArchspecError, match="run: {sample") as found:
        archspec.sample(archspec.parts("gpt2", overrides={"num_layers": 1, "hidden_size": 24}, seed=0), [1])
    assert codes(found) == ["X010"]


TINY = """\
archspec: 1
name: tiny
params: {steps: 8}
inputs: {x: "[B, 2, N]", t: "float[B]"}
model: [{y: "x * t[:, None, None]"}]
outputs: {y: y}
run: {sample: {noisy: x, time: t, signal: "1 - (iota(steps) + 1) / 10", noise: y}}
"""


CIRCLE = (
    TINY.replace('t: "float[B]"', 't: "float[B]", c: "[B, 2, N]"')
    .replace("x * t", "x * c * t")
    .replace("noise: y", "noise: y, feed: {c: 2 * y}")
)


def tiny(folder: Path, text: str = TINY) -> Path:
    (folder / "tiny.yaml").write_text(text)
    return folder / "tiny.yaml"


def test_a_model_without_a_prompt_is_sampled_all_the_same(tmp_path: Path):
    parts = archspec.parts(tiny(tmp_path))
    noise = torch.full((2, 2, 3), 0.01)
    made = archspec.sample(parts, steps=2, noise=noise)
    assert made.sample.shape == (2, 2, 3)
    x, kept, after = noise, 0.5, 0.9  # the steps 4 and 0
    data = (x - (1 - kept) ** 0.5 * 4 * x) / kept**0.5
    x = after**0.5 * data + (1 - after) ** 0.5 * 4 * x
    torch.testing.assert_close(made.sample, x / after**0.5)
    asked: list[tuple[list[int], float | None]] = [([1], None), ([], 2.0)]
    for prompt, guidance in asked:
        with pytest.raises(ArchspecError) as found:
            archspec.sample(parts, prompt, steps=2, noise=noise, guidance=guidance)
        assert codes(found) == ["X010"]


def test_an_open_size_is_asked_for(tmp_path: Path):
    parts = archspec.parts(tiny(tmp_path))
    with pytest.raises(ArchspecError, match="no value for the size 'N'"):
        archspec.sample(parts, steps=2)
    assert archspec.sample(parts, steps=2, sizes={"N": 3}, seed=1).sample.shape == (1, 2, 3)


def test_inputs_that_feed_each_other(tmp_path: Path):
    path = tiny(tmp_path, CIRCLE)
    with pytest.raises(ArchspecError) as found:
        archspec.sample(archspec.parts(path), steps=2, sizes={"N": 3})
    assert codes(found) == ["X010"]


@pytest.mark.parametrize(
    ("fed", "same"), [("0.1 * x + 1", "(0.1 * x + 1)"), ("full([B, 2, N], 0.5)", "0.5"), ("x", "x")]
)
def test_what_follows_from_the_sample_is_computed_at_each_step(fed: str, same: str, tmp_path: Path):
    told = tiny(tmp_path, CIRCLE.replace("2 * y", f'"{fed}"'))
    noise = torch.linspace(-0.1, 0.1, 12).view(2, 2, 3)
    made = archspec.sample(archspec.parts(told), steps=4, noise=noise)
    plain = tiny(tmp_path, TINY.replace("x * t", f"x * {same} * t"))
    assert torch.equal(made.sample, archspec.sample(archspec.parts(plain), steps=4, noise=noise).sample)
