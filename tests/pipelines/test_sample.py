"""Sampling against diffusers' own pipelines: of the same weights, noise and ids the same latents and images.

The tolerance is a ten-thousandth of the largest value, in fp32, after ten steps with guidance 7.5. The two
sides write the schedule by different operations (a product, and exp of a sum), which alone moves it by 1e-6.
"""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import archspec
from archspec.pipelines.parts import Parts
from archspec.pipelines.sample import Sampled
from tests.parity.draw import generator, randomise
from tests.pipelines.systems import CLASSES, LATENT, latent_system, saved

diffusers: Any = importlib.import_module("diffusers")
STEPS, GUIDANCE = 10, 7.5
PROMPT, NEGATIVE = [41, 7, 3, 9, 42], [41, 11, 42]
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def system() -> dict[str, Any]:
    return latent_system()


@pytest.fixture(scope="module")
def folder(system: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(system, tmp_path_factory.mktemp("latent"))


@pytest.fixture(scope="module")
def parts(folder: Path) -> Parts:
    """Our system of the same weights; its modules are made once."""
    return archspec.parts("sd15", overrides=LATENT, weights=folder)


@pytest.fixture(scope="module")
def noise() -> Tensor:
    return torch.randn(2, 4, 8, 16, generator=generator("noise"))


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=TOLERANCE * float(theirs.abs().max()))


def context(system: dict[str, Any], ids: list[int]) -> Tensor:
    """What the reference reads of a prompt, filled up to its length."""
    with torch.no_grad():
        return system["text_encoder"](torch.tensor([ids + [42] * (17 - len(ids))])).last_hidden_state


def reference(system: dict[str, Any], noise: Tensor, kind: str, output: str, scale: float) -> Tensor:
    schedule = diffusers.DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False,
        set_alpha_to_one=False, steps_offset=1, prediction_type=kind,
    )  # fmt: skip
    pipeline = diffusers.StableDiffusionPipeline(
        **system, tokenizer=None, scheduler=schedule, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        prompt_embeds=context(system, PROMPT).expand(len(noise), -1, -1),
        negative_prompt_embeds=context(system, NEGATIVE).expand(len(noise), -1, -1),
        latents=noise, height=64, width=128, guidance_scale=scale, num_inference_steps=STEPS,
        output_type=output, eta=0.0,
    ).images  # fmt: skip


@pytest.mark.parametrize("scale", [GUIDANCE, 1.0])
def test_latent_diffusion_is_the_reference_one(
    system: dict[str, Any], parts: Parts, noise: Tensor, scale: float
):
    made = archspec.sample(parts, PROMPT, negative=NEGATIVE, guidance=scale, steps=STEPS, noise=noise)
    assert made.result is not None
    close(made.sample, reference(system, noise, "epsilon", "latent", scale))
    pixels = (made.result / 2 + 0.5).clamp(0, 1)
    close(pixels, reference(system, noise, "epsilon", "pt", scale))


VELOCITY = """\
archspec: 1
name: velocity
extends: sd15
patch:
  - {at: run.sample.noise, delete: true}
  - {at: run.sample, set: {velocity: noise_pred}}
"""


def test_a_model_that_predicts_velocity(system: dict[str, Any], folder: Path, noise: Tensor, tmp_path: Path):
    path = tmp_path / "velocity.yaml"
    path.write_text(VELOCITY)
    parts = archspec.parts(path, overrides=LATENT, weights=folder)
    made = archspec.sample(parts, PROMPT, negative=NEGATIVE, guidance=GUIDANCE, steps=STEPS, noise=noise)
    close(made.sample, reference(system, noise, "v_prediction", "latent", GUIDANCE))


def test_what_is_empty_is_the_ids_that_a_tokenizer_gives_for_no_text(parts: Parts, noise: Tensor):
    bare = archspec.sample(parts, PROMPT, steps=2, noise=noise)
    told = archspec.sample(parts, PROMPT, negative=[41, 42], guidance=7.5, steps=2, noise=noise)
    assert torch.equal(bare.sample, told.sample)


@pytest.fixture(scope="module")
def transformer() -> Any:
    made = diffusers.DiTTransformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=8, num_layers=2, num_attention_heads=3,
        attention_head_dim=8, num_embeds_ada_norm=1000,
    )  # fmt: skip
    randomise(made.eval(), 5)
    return made


@pytest.mark.parametrize("scale", [4.0, 1.0])
def test_classes_are_sampled_as_the_reference_does(
    transformer: Any, system: dict[str, Any], tmp_path: Path, scale: float
):
    transformer.save_pretrained(tmp_path)
    decoded: list[Tensor] = []

    def keep(_: object, given: tuple[Tensor]) -> None:
        decoded.append(given[0])

    schedule = diffusers.DDIMScheduler(clip_sample=False)
    pipeline = diffusers.DiTPipeline(transformer, system["vae"], schedule)
    pipeline.set_progress_bar_config(disable=True)
    hook = system["vae"].post_quant_conv.register_forward_pre_hook(keep)
    pipeline(
        class_labels=[207], guidance_scale=scale, num_inference_steps=STEPS, output_type="pt",
        generator=torch.Generator().manual_seed(11),
    )  # fmt: skip
    hook.remove()
    parts = archspec.parts("dit", overrides=CLASSES, weights=tmp_path)
    made = archspec.sample(parts, [207], guidance=scale, steps=STEPS, seed=11)
    assert made.result is None
    close(made.sample, decoded[0] * system["vae"].config.scaling_factor)


def test_a_seed_draws_the_same_noise(parts: Parts):
    heard: list[tuple[int, int]] = []

    def drawn(seed: int | None) -> Sampled:
        return archspec.sample(
            parts, PROMPT, steps=2, seed=seed, sizes={"H": 1, "W": 2},
            progress=lambda done, of: heard.append((done, of)),
        )  # fmt: skip

    first = drawn(3)
    assert first.sample.shape == (1, 4, 8, 16)
    assert first.result is not None
    assert first.result.shape == (1, 3, 64, 128)
    assert heard == [(1, 2), (2, 2)]
    assert torch.equal(first.sample, drawn(3).sample)
    assert not torch.equal(first.sample, drawn(4).sample)
