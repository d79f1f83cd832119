"""Pipelines load folders of systems, and make the image that they make with the library's own modules.

The first test starts an interpreter that imports optimum, and both import diffusers, which takes seconds.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import archspec
from archspec.exporting.format import Format, LayoutName
from tests.clients.running import run
from tests.pipelines.systems import LATENT, latent_system, saved

diffusers: Any = importlib.import_module("diffusers")
TOLERANCE = 1e-4
"""Of colours from 0 to 1: four steps of sums in another order, which guidance makes 5 times larger."""
SIDE = 8

System = dict[str, Any]


@pytest.fixture(scope="module")
def system() -> System:
    return latent_system()


@pytest.fixture(scope="module")
def checkpoint(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(system, tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    random = torch.Generator().manual_seed(5)
    return {
        "ids": torch.randint(43, (1, 17), generator=random),
        "away": torch.randint(43, (1, 17), generator=random),
        "latents": torch.randn(1, 4, SIDE, SIDE, generator=random),
        "pixels": torch.randn(1, 3, 8 * SIDE, 8 * SIDE, generator=random),
    }


def wanted(system: System, given: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The image of the library's pipeline in torch, with the schedule of the released model."""
    schedule = diffusers.DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    none = dict.fromkeys(("tokenizer", "safety_checker", "feature_extractor"))
    pipeline = diffusers.StableDiffusionPipeline(
        **system, **none, scheduler=schedule, requires_safety_checker=False
    )
    text = system["text_encoder"]
    with torch.no_grad():
        told = {"prompt_embeds": text(given["ids"])[0], "negative_prompt_embeds": text(given["away"])[0]}
        images = pipeline(
            **told, latents=given["latents"], num_inference_steps=4, guidance_scale=3.0, height=8 * SIDE,
            width=8 * SIDE, output_type="np",
        ).images  # fmt: skip
    assert ((images > 0) & (images < 1)).mean() > 0.2  # what is out of range is clamped, and proves little
    return images


def exported(checkpoint: Path, folder: Path, layout: LayoutName) -> Path:
    archspec.export("sd15", folder, weights=checkpoint, overrides=LATENT, format=Format(layout=layout))
    return folder


def test_optimum_makes_the_same_image(
    system: System, checkpoint: Path, given: dict[str, Any], tmp_path: Path
):
    folder = exported(checkpoint, tmp_path / "model", "optimum")
    arrays = {name: tensor.numpy() for name, tensor in given.items()}
    np.savez(tmp_path / "given.npz", allow_pickle=False, **arrays)
    run("optimum", "run_pipeline.py", folder, tmp_path / "given.npz", tmp_path / "found.npz")
    with np.load(tmp_path / "found.npz") as found:
        np.testing.assert_allclose(found["image"], wanted(system, given), atol=TOLERANCE)
        with torch.no_grad():
            encoded = system["vae"].encode(given["pixels"]).latent_dist.mean
        np.testing.assert_allclose(found["encoded"], encoded.numpy(), atol=TOLERANCE)


def test_diffusers_makes_the_same_image(
    system: System, checkpoint: Path, given: dict[str, Any], tmp_path: Path
):
    """Its own pipeline of ONNX models; the encoder's first output is the latents."""
    folder = exported(checkpoint, tmp_path, "diffusers")
    none = dict.fromkeys(("tokenizer", "safety_checker", "feature_extractor"))
    pipeline = diffusers.OnnxStableDiffusionPipeline.from_pretrained(
        str(folder), provider="CPUExecutionProvider", **none
    )
    ids, away = (given[name].numpy().astype(np.int32) for name in ("ids", "away"))
    image = pipeline(
        prompt_embeds=pipeline.text_encoder(input_ids=ids)[0],
        negative_prompt_embeds=pipeline.text_encoder(input_ids=away)[0],
        latents=given["latents"].numpy(), num_inference_steps=4, guidance_scale=3.0, height=8 * SIDE,
        width=8 * SIDE, output_type="np",
    ).images  # fmt: skip
    np.testing.assert_allclose(image, wanted(system, given), atol=TOLERANCE)
    with torch.no_grad():
        mean = system["vae"].encode(given["pixels"]).latent_dist.mean
    found = pipeline.vae_encoder(sample=given["pixels"].numpy())
    np.testing.assert_allclose(found[0], mean.numpy(), atol=TOLERANCE)


def test_what_lies_beside_the_models_is_kept(system: System, checkpoint: Path, tmp_path: Path):
    """A tokenizer and its class, from the checkpoint's folder; what has weights is left."""
    source = saved(system, tmp_path / "source")
    index = {
        "_class_name": "Painter", "tokenizer": ["transformers", "CLIPTokenizer"],
        "safety_checker": ["stable_diffusion", "Checker"], "vae": ["diffusers", "AutoencoderKL"],
    }  # fmt: skip
    (source / "model_index.json").write_text(json.dumps(index))
    for name, file in (("tokenizer", "vocab.json"), ("safety_checker", "model.safetensors")):
        (source / name).mkdir()
        (source / name / file).write_text("{}")
    folder = exported(source, tmp_path / "out", "optimum")
    found = json.loads((folder / "model_index.json").read_text())
    assert (found["_class_name"], found["tokenizer"]) == ("Painter", index["tokenizer"])
    assert found["safety_checker"] == [None, None]
    assert (folder / "tokenizer" / "vocab.json").read_text() == "{}"
    assert not (folder / "safety_checker").exists()
