"""The folder of a system, as a hub has it: an index, and a configuration for each part."""

import json
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.errors import ArchspecError
from archspec.importing import choose
from archspec.importing.document import Imported
from tests.cli.runner import written

SPEC = """\
archspec: 1
name: pair
params: {width: 8, depth: 2, words: 10}
inputs: {ids: "int64[B, S]", x: "float[B, S, width]"}
model:
  - reader: [{table: {op: embedding, in: ids, num: words, dim: width}}]
  - painter: {in: x, body: [{layers: {repeat: depth, body: [{up: {op: linear, out: width}}]}}]}
outputs: {read: reader, painted: painter}
graphs: {reader: [read], painter: [painted]}
weights:
  reader:
    graph: reader
    folder: reader
    class: Reader
    config: {model_type: reader, hidden_size: width, vocab_size: words}
    import: {}
  painter:
    graph: painter
    folder: painter
    library: diffusers
    class: Painter
    config: {channels: width, layers: depth}
    import: {same: {_class_name: [Painter, OldPainter]}}
"""
INDEX: dict[str, Any] = {
    "_class_name": "PairPipeline",
    "_diffusers_version": "0.6.0",
    "reader": ["transformers", "Reader"],
    "painter": ["diffusers", "Painter"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "safety_checker": [None, None],
    "requires_safety_checker": True,
}
READER = {"model_type": "reader", "hidden_size": 12, "vocab_size": 20}
PAINTER = {"_class_name": "OldPainter", "_diffusers_version": "0.6.0", "channels": 12, "layers": 3}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, SPEC.replace("width", "wide"), "pair.yaml")
    for name, config in {"reader": READER, "painter": PAINTER}.items():
        (tmp_path / name).mkdir()
        written(tmp_path / name, json.dumps(config), "config.json")
    written(tmp_path, json.dumps(INDEX, indent=1), "model_index.json")
    return tmp_path


def given(folder: Path, **index: Any) -> Imported:
    """The folder with an index that says something else; None takes an entry out."""
    entries = {name: value for name, value in {**INDEX, **index}.items() if value is not None}
    written(folder, json.dumps(entries, indent=1), "model_index.json")
    return archspec.import_config(folder, base=folder / "pair.yaml", name="mine")


def refused(folder: Path, **index: Any) -> list[tuple[str, str, int, str]]:
    with pytest.raises(ArchspecError) as error:
        given(folder, **index)
    return [
        (each.code, Path(each.span.source.name).name, each.span.line, each.message)
        for each in error.value.diagnostics
        if each.span is not None
    ]


def test_all_parts_together_give_the_params(folder: Path):
    made = given(folder)
    assert made.params == {"wide": 12, "depth": 3, "words": 20}
    assert made.text.startswith("# Not read: scheduler.\narchspec: 1\nname: mine\nextends: pair.yaml\n")
    assert archspec.check(written(folder, made.text, "made.yaml")).parameters == 20 * 12 + 3 * (12 * 12 + 12)


def test_a_part_alone_is_a_graph(folder: Path):
    made = archspec.import_config(folder / "painter", base=folder / "pair.yaml", name="mine")
    assert made.params == {"wide": 12, "depth": 3}
    assert "\ngraph: painter\n" in made.text


def test_what_a_part_leaves_out_is_told_by_its_folder(folder: Path):
    written(folder / "painter", json.dumps({"_class_name": "Painter", "channels": 12}), "config.json")
    assert given(folder).left_out == ("painter/layers",)


def test_parts_that_are_missing(folder: Path):
    assert refused(folder, painter=None) == [
        ("C008", "model_index.json", 1, "the part 'painter' is missing: 'pair' is made of reader, painter")
    ]
    assert [each[0] for each in refused(folder, painter=[None, None])] == ["C008"]
    (folder / "painter" / "config.json").unlink()
    assert refused(folder) == [
        ("C008", "model_index.json", 8, "the part 'painter' is missing: there is no painter/config.json")
    ]


def test_what_the_index_says_besides(folder: Path):
    other = {"image_encoder": ["transformers", "Eye"], "strength": 2}
    assert refused(folder, **other) == [
        ("C003", "model_index.json", 21, "'image_encoder' is not understood: 'pair' has no such part"),
        ("C003", "model_index.json", 25, "'strength' is not understood: 'pair' says nothing of it"),
    ]
    assert [each[0] for each in refused(folder, reader=None, painter=None)] == ["C002"]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"channels": 16}, "C004", "'channels' is 16, and the other fields make it 12"),
        ({"layer": 1}, "C003", "'layer' is not understood: 'pair' says nothing of it"),
        ({"_class_name": "X"}, "C004", "'_class_name' is \"X\", and 'pair' is the model with \"Painter\""),
        ({"_class_name": ""}, "C002", "it does not say what kind of model it is"),
    ],
)  # fmt: skip
def test_what_a_part_says_wrongly(folder: Path, change: dict[str, Any], code: str, message: str):
    written(folder / "painter", json.dumps({**PAINTER, **change}), "config.json")
    ((found, file, _, text),) = refused(folder)
    assert (found, file, text) == (code, "config.json", message)


def test_the_index_is_read_as_json(folder: Path):
    written(folder, "{", "model_index.json")
    with pytest.raises(ArchspecError) as error:
        archspec.import_config(folder)
    assert [each.code for each in error.value.diagnostics] == ["C001"]


UNET = {
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu",
    "attention_head_dim": 8, "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": False,
    "cross_attention_dim": 768, "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4,
    "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32,
    "out_channels": 4, "sample_size": 64, "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
}  # fmt: skip
VAE = {
    "_class_name": "AutoencoderKL", "_diffusers_version": "0.6.0", "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512], "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32,
    "out_channels": 3, "sample_size": 512, "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
TEXT = {
    "_name_or_path": "openai/clip-vit-large-patch14", "architectures": ["CLIPTextModel"],
    "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
    "hidden_act": "quick_gelu", "hidden_size": 768, "initializer_factor": 1.0, "initializer_range": 0.02,
    "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
    "model_type": "clip_text_model", "num_attention_heads": 12, "num_hidden_layers": 12,
    "pad_token_id": 1, "projection_dim": 768, "torch_dtype": "float32",
    "transformers_version": "4.22.0.dev0", "vocab_size": 49408,
}  # fmt: skip
PARTS: dict[str, Any] = {
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip


def test_a_published_system_is_the_library_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As the files of the hub are, without fields that came later. Its graph is tested elsewhere."""
    monkeypatch.setattr(choose, "lower", id)
    for name, config in {"unet": UNET, "vae": VAE, "text_encoder": TEXT}.items():
        (tmp_path / name).mkdir()
        written(tmp_path / name, json.dumps(config), "config.json")
    written(tmp_path, json.dumps({"_class_name": "StableDiffusionPipeline", **PARTS}), "model_index.json")
    made = archspec.import_config(tmp_path)
    assert (made.extends, made.params, made.left_out) == ("sd15", {}, ("vae/scaling_factor",))
