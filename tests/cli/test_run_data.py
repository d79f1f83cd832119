"""`archspec run` on images, on pairs, and from noise."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import archspec
from tests.cli.runner import cli, data, found
from tests.pipelines.systems import CLASSES, SYSTEM
from tests.pipelines.test_images import SMALL, picture
from tests.pipelines.test_pairs import PARAMS


def words(spec: str, params: dict[str, object]) -> list[str]:
    sets = (("--set", f"{name}={value}") for name, value in params.items())
    return ["run", spec, "--init", "0", *(word for pair in sets for word in pair)]


VIT, CLIP, DIT = words("vit", SMALL), words("clip", PARAMS), words("dit", CLASSES)
SD = [*words(str(SYSTEM), {}), "--size", "H=1", "--size", "W=2", "--steps", "2", "--seed", "1"]


def test_the_likeliest_classes_of_images(tmp_path: Path):
    path = picture(tmp_path, 24, 24)
    (record,) = data(*VIT, "--image", path, "--image", path, "--top-k", "3")
    assert record["shape"] == [2, 1000]
    assert [len(row) for row in record["likeliest"]] == [3, 3]
    lines = cli(*VIT, "--image", path).stdout.splitlines()
    assert lines[0] == "logits [1, 1000]"
    assert len(lines[1].split()) == 11


def test_which_prompt_goes_with_an_image(tmp_path: Path):
    path = picture(tmp_path, 24, 24)
    prompts = ("--prompt-ids", "1,2,40", "--prompt-ids", "3 40")
    per_image, per_text, *_ = data(*CLIP, "--image", path, *prompts)
    assert (per_image["shape"], per_text["shape"]) == ([1, 2], [2, 1])
    assert sum(share for _, share in per_image["likeliest"][0]) == pytest.approx(1)
    (alone,) = data(*CLIP, "--graph", "text", *prompts)
    assert alone["shape"] == [2, 12]


def test_an_image_from_noise(tmp_path: Path):
    out = tmp_path / "new" / "x.png"
    assert cli(*SD, "--prompt-ids", "41,3,42", "-o", out).stdout == f"{out}\n"
    assert Image.open(out).size == (32, 16)
    numbers = tmp_path / "x.safetensors"
    record = data(*SD, "--prompt-ids", "41,3,42", "-o", numbers)
    assert record == {"sample": [1, 4, 8, 16], "result": [1, 3, 16, 32], "out": str(numbers)}
    parts = archspec.parts(SYSTEM, seed=0)
    made = archspec.sample(parts, [41, 3, 42], steps=2, seed=1, sizes={"H": 1, "W": 2})
    assert torch.equal(load_file(numbers)["sample"], made.sample)


def test_latents_of_a_class(tmp_path: Path):
    result = cli(*DIT, "--prompt-ids", "207", "--steps", "2", "--guidance", "4", "--seed", "0")
    assert result.stdout.startswith("sample [1, 4, 8, 8]: mean ")
    assert result.stderr == ""
    assert found(*DIT, "--prompt-ids", "207", "--steps", "2", "-o", tmp_path / "x.png") == [
        ("X012", None, None)
    ]
    assert not list(tmp_path.iterdir())


def test_a_part_runs_for_itself():
    (record,) = data(*words(str(SYSTEM), {}), "--graph", "text_encoder", "--prompt-ids", "41,3,42")
    assert record["name"] == "last_hidden_state"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ((*DIT, "--prompt-ids", "1", "--steps", "0"), "X010"),
        (tuple(DIT), "X010"),
        ((*SD, "--prompt-ids", ",".join(["1"] * 18)), "X013"),
        ((*DIT, "--prompt-ids", "1", "--size", "Q=1"), "X010"),
        ((*VIT, "--image", "nowhere.png"), "X011"),
        ((*VIT, "--prompt-ids", "1"), "X004"),
        ((*CLIP, "--prompt-ids", "1"), "X004"),
        ((*SD, "--graph", "nets", "--prompt-ids", "1"), "S022"),
        ((*SD, "--graph", "unet", "--prompt-ids", "1"), "X004"),
    ],
)
def test_what_does_not_fit_is_a_finding(command: tuple[str, ...], code: str):
    assert [each[0] for each in found(*command)] == [code]


@pytest.mark.parametrize(
    "command",
    [
        (*SD, "--prompt-ids", "1", "--prompt-ids", "2"),
        (*SD, "--prompt-ids", "1", "--image", "x.png"),
        (*SD, "--prompt-ids", "1", "--size", "H"),
        (*SD, "--prompt-ids", "1", "-o", "x.jpg"),
        (*SD, "--prompt-ids", "1", "--negative", "no"),
        (*SD, "--prompt-ids", "1", "--negative", "no", "--negative-ids", "1"),
        (*VIT,),
    ],
)
def test_a_wrong_command_line_ends_with_2(command: tuple[str, ...]):
    cli(*command, status=2)
