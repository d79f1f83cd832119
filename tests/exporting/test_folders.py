"""Folders of several models: names, inputs, outputs. That clients load them is in tests/clients."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.errors import ArchspecError, UnsupportedError
from archspec.exporting.format import Format, LayoutName
from archspec.exporting.systems import system_of
from archspec.lowering.lower import lower
from tests.checkpoints import DECODER
from tests.exporting.small import saved
from tests.exporting.test_layouts import files, names
from tests.pipelines.systems import LATENT

CLIP: dict[str, object] = {
    "vocab_size": 40, "max_positions": 16, "projection_size": 8, "text_hidden_size": 16, "text_num_layers": 1,
    "text_num_heads": 2, "image_size": 16, "patch_size": 8, "vision_hidden_size": 16, "vision_num_layers": 1,
    "vision_num_heads": 2,
}  # fmt: skip
UNVERIFIED = archspec.Verification(run=False)


def codes(error: pytest.ExceptionInfo[ArchspecError]) -> list[str]:
    return [found.code for found in error.value.diagnostics]


def test_the_parts_of_a_system_follow_from_its_sampling():
    of = archspec.load("sd15", overrides=LATENT)
    system = system_of(of, lower(of))
    found = {piece.folder: (piece.role, piece.inputs) for piece in system.pieces}
    assert found == {
        "text_encoder": ("prompt", ("input_ids",)),
        "unet": ("denoiser", ("sample", "timestep", "encoder_hidden_states")),
        "vae_encoder": ("encoder", ("pixel_values",)),
        "vae_decoder": ("decoder", ("latents",)),
    }
    assert system.condition == "encoder_hidden_states"


@pytest.mark.parametrize(
    ("layout", "times", "ids", "encoded"),
    [
        ("optimum", (), "int64", ["latent_parameters"]),
        ("diffusers", (1,), "int32", ["latent_sample", "latent_parameters"]),
    ],
)
def test_what_models_of_a_system_take_and_give(
    layout: LayoutName, times: Sequence[int], ids: str, encoded: list[str], tmp_path: Path
):
    asked = Format(layout=layout)
    done = archspec.export("sd15", tmp_path, init=0, overrides=LATENT, format=asked, verification=UNVERIFIED)
    time = next(port for port in done.models["unet/model.onnx"].inputs if port.name == "timestep")
    assert time.shape == times
    assert done.models["text_encoder/model.onnx"].inputs[0].dtype == ids
    assert names(done, "vae_encoder/model.onnx") == (["sample"], encoded)
    assert names(done, "vae_decoder/model.onnx") == (["latent_sample"], ["sample"])
    assert names(done, "unet/model.onnx")[1] == ["out_sample"]
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index["tokenizer"] == [None, None]
    assert json.loads((tmp_path / "unet" / "config.json").read_text())["sample_size"] == 64
    betas = json.loads((tmp_path / "scheduler" / "scheduler_config.json").read_text())["trained_betas"]
    known = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    np.testing.assert_allclose(betas, known, rtol=5e-4)  # from shares of variance in float32


def test_a_system_is_verified_by_recorded_cases(tmp_path: Path):
    case, asked = tmp_path / "case.npz", Format(layout="optimum", sizes={"H": 1, "W": 1})
    first = archspec.export(
        "sd15", tmp_path / "a", init=0, overrides=LATENT, format=asked,
        verification=archspec.Verification(record=case),
    )  # fmt: skip
    again = archspec.export(
        "sd15", tmp_path / "b", init=0, overrides=LATENT, format=asked,
        verification=archspec.Verification(case=case),
    )  # fmt: skip
    assert len(first.checks) == len(again.checks) == 12
    with pytest.raises(ArchspecError) as error:
        archspec.export(
            "sd15", tmp_path / "c", init=1, overrides=LATENT, format=asked,
            verification=archspec.Verification(case=case),
        )  # fmt: skip
    assert set(codes(error)) == {"O002"}
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(("spec", "layout"), [("sd15", "web"), ("sd15", "genai"), ("gpt2", "diffusers")])
def test_what_a_client_does_not_run(spec: str, layout: LayoutName, tmp_path: Path):
    with pytest.raises(UnsupportedError) as error:
        archspec.export(spec, tmp_path / "out", init=0, format=Format(layout=layout))
    assert codes(error) == ["O040"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("spec", "found"), [("gpt2", "does not say how noise"), ("dit", "it has no parts")])
def test_what_is_no_such_system(spec: str, found: str):
    of = archspec.load(spec)
    with pytest.raises(UnsupportedError, match=found) as error:
        system_of(of, lower(of))
    assert codes(error) == ["O040"]


def test_weights_do_not_stay_above_the_folder_of_the_model(tmp_path: Path):
    """ONNX Runtime reads weights beside the model or below it."""
    saved(DECODER, tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UnsupportedError, match=r"onnx/model\.onnx") as error:
        archspec.export(
            "gpt2", weights=tmp_path, reference=True, overrides=DECODER.params, format=Format(layout="web")
        )
    assert codes(error) == ["O041"]
    assert sorted(tmp_path.iterdir()) == before


def test_weights_do_not_stay_in_files_that_models_share(tmp_path: Path):
    with pytest.raises(UnsupportedError) as error:
        archspec.export(
            "sd15", weights=tmp_path, reference=True, overrides=LATENT, format=Format(layout="optimum")
        )
    assert codes(error) == ["O041"]


def test_two_towers_of_the_web(tmp_path: Path):
    asked = Format(layout="web", dtype="float16")
    done = archspec.export("clip", tmp_path, init=0, overrides=CLIP, format=asked)
    stems = [f"onnx/{stem}_fp16.onnx" for stem in ("model", "text_model", "vision_model")]
    assert files(tmp_path) == {"config.json", *stems}
    whole, text, vision = (names(done, stem) for stem in stems)
    assert text == (["input_ids", "attention_mask"], ["text_embeds"])
    assert vision == (["pixel_values"], ["image_embeds"])
    assert set(whole[0]) == {*text[0], *vision[0]}
    assert "logits_per_image" in whole[1]
    assert {each.output for check in done.checks for each in check.differences} >= {
        "logits_per_image", "text_embeds", "image_embeds",
    }  # fmt: skip
