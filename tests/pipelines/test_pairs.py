"""Prompts and images of a dual encoder, from files and ids, against the reference class."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from PIL import Image

import archspec
from archspec.errors import ArchspecError
from tests.parity.draw import randomise
from tests.pipelines.systems import SYSTEM, codes
from tests.pipelines.test_images import picture

PARAMS: dict[str, object] = {
    "projection_size": 12, "vocab_size": 41, "max_positions": 23, "text_hidden_size": 20,
    "text_num_layers": 2, "text_num_heads": 4, "text_intermediate_size": 34, "image_size": 15,
    "patch_size": 5, "vision_hidden_size": 24, "vision_num_layers": 2, "vision_num_heads": 3,
    "vision_intermediate_size": 30,
}  # fmt: skip
PROMPTS = [[1, 7, 9, 4, 40], [1, 8, 40]]


@pytest.fixture(scope="module")
def reference() -> Any:
    text = {
        "vocab_size": 41, "max_position_embeddings": 23, "hidden_size": 20, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 34, "eos_token_id": 2, "pad_token_id": None,
        "bos_token_id": None,
    }  # fmt: skip
    image = {
        "image_size": 15, "patch_size": 5, "hidden_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 3, "intermediate_size": 30,
    }  # fmt: skip
    config = transformers.CLIPConfig(text_config=text, vision_config=image, projection_dim=12)
    made = transformers.CLIPModel(config).eval()
    randomise(made, 1)
    return made


def test_similarities_are_the_reference_ones(reference: Any, tmp_path: Path):
    reference.save_pretrained(tmp_path)
    files = [picture(tmp_path, 30, 20).rename(tmp_path / "wide.png"), picture(tmp_path, 16, 33)]
    kind = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 15}, crop_size={"height": 15, "width": 15}
    )
    pixels = kind([Image.open(file) for file in files], return_tensors="pt")
    ids = torch.tensor([PROMPTS[0], [*PROMPTS[1], 40, 40]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    with torch.no_grad():
        theirs = reference(input_ids=ids, attention_mask=mask, **pixels)
    given = archspec.prepare("clip", prompts=PROMPTS, images=files, overrides=PARAMS)
    assert torch.equal(given["input_ids"], ids)
    assert torch.equal(given["attention_mask"], mask)
    model = archspec.compile("clip", overrides=PARAMS, weights=tmp_path)
    with torch.no_grad():
        per_image, _, text, image = model(**given)
    torch.testing.assert_close(per_image, theirs.logits_per_image, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(text, theirs.text_embeds, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(image, theirs.image_embeds, rtol=1e-4, atol=1e-5)
    found = {each.name: each.likeliest for each in archspec.predict(model, given)}
    shares = theirs.logits_per_image.softmax(-1)
    assert [row[0][0] for row in found["logits_per_image"]] == shares.argmax(-1).tolist()
    assert dict(found["logits_per_image"][0])[1] == pytest.approx(float(shares[0, 1]), abs=1e-4)
    assert found["text_embeds"] == ()


def test_one_tower_takes_its_own_input_only(tmp_path: Path):
    path = picture(tmp_path, 15, 15)
    assert archspec.prepare("clip", images=[path], overrides=PARAMS, graph="image").keys() == {"pixel_values"}
    for images, prompts, graph in [([path], PROMPTS, "text"), ([], PROMPTS, None), ([path], [], None)]:
        with pytest.raises(ArchspecError) as found:
            archspec.prepare("clip", images=images, prompts=prompts, overrides=PARAMS, graph=graph)
        assert codes(found) == ["X004"]


def test_prompts_of_one_length_have_no_mask():
    given = archspec.prepare("clip", prompts=[[1, 2], [3, 4]], overrides=PARAMS, graph="text")
    assert given.keys() == {"input_ids"}


def test_prompts_that_cannot_be_filled():
    for prompts in ([[1, 2], [3]], [[]]):
        with pytest.raises(ArchspecError) as found:
            archspec.prepare("bert", prompts=prompts)
        assert codes(found) == ["X013"]


def test_what_is_neither_prompt_nor_image():
    with pytest.raises(ArchspecError, match="context float") as found:
        archspec.prepare(SYSTEM, prompts=[[1]], graph="unet")
    assert codes(found) == ["X004"]
