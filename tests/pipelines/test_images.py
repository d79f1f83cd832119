"""Images read as transformers reads them, and written so that they are read back the same."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from PIL import Image

import archspec
from archspec.errors import ArchspecError
from archspec.lowering.running import Images
from archspec.pipelines.images import write_image
from tests.pipelines.systems import codes

SMALL: dict[str, object] = {
    "image_size": 24,
    "patch_size": 8,
    "hidden_size": 16,
    "num_layers": 1,
    "num_heads": 2,
}
PAIRS: dict[str, object] = {"image_size": 24, "patch_size": 8}


def picture(folder: Path, width: int, height: int, mode: str = "RGB") -> Path:
    """Noise with soft edges, so that each way to scale it gives other numbers."""
    data = torch.randint(256, (height, width, 3), generator=torch.Generator().manual_seed(width))
    image = Image.frombytes("RGB", (width, height), bytes(data.flatten().tolist()))
    image.resize((width, height), Image.Resampling.BICUBIC).convert(mode).save(folder / "picture.png")
    return folder / "picture.png"


@pytest.mark.parametrize(("width", "height"), [(24, 24), (37, 51), (51, 30), (11, 90), (9, 9)])
@pytest.mark.parametrize(
    ("spec", "params", "reference"),
    [
        ("vit", SMALL, {"kind": "ViTImageProcessorPil", "size": {"height": 24, "width": 24}}),
        ("clip", PAIRS, {"kind": "CLIPImageProcessorPil", "size": {"shortest_edge": 24},
                         "crop_size": {"height": 24, "width": 24}}),
    ],
    ids=["stretched", "cut"],
)  # fmt: skip
def test_pixels_are_those_of_the_reference(
    spec: str, params: dict[str, object], reference: dict[str, Any], width: int, height: int, tmp_path: Path
):
    path = picture(tmp_path, width, height)
    kind, *rest = reference.items()
    theirs = getattr(transformers, kind[1])(**dict(rest))(Image.open(path), return_tensors="pt")
    graph = "image" if spec == "clip" else None
    ours = archspec.prepare(spec, images=[path], overrides=params, graph=graph)
    assert ours.keys() == {"pixel_values"}
    torch.testing.assert_close(ours["pixel_values"], theirs["pixel_values"], rtol=1e-5, atol=1e-5)


def test_several_images_are_one_input(tmp_path: Path):
    path = picture(tmp_path, 30, 24)
    assert archspec.prepare("vit", images=[path, str(path)], overrides=SMALL)["pixel_values"].shape == (
        2,
        3,
        24,
        24,
    )


def test_gray_and_transparent_files_have_the_channels_of_the_model(tmp_path: Path):
    path = picture(tmp_path, 24, 24, "LA")
    pixels = archspec.prepare("vit", images=[path], overrides=SMALL)["pixel_values"][0]
    assert torch.equal(pixels[0], pixels[1])
    one = archspec.prepare("vit", images=[path], overrides=SMALL | {"num_channels": 1})["pixel_values"]
    assert one.shape == (1, 1, 24, 24)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_reads_back(channels: int, tmp_path: Path):
    pixels = torch.randint(256, (channels, 24, 24)) / 255 * 2 - 1
    write_image(pixels, tmp_path / "new" / "x.png", Images((0.5,), (0.5,)))
    params = SMALL | {"num_channels": channels}
    again = archspec.prepare("vit", images=[tmp_path / "new" / "x.png"], overrides=params)["pixel_values"]
    torch.testing.assert_close(again[0], pixels)


def test_out_of_range_is_black_or_white(tmp_path: Path):
    write_image(torch.tensor([[[-9.0, 9.0]]]), tmp_path / "x.png", Images())
    assert list(Image.open(tmp_path / "x.png").tobytes()) == [0, 255]


EXACT = """\
archspec: 1
name: exact
inputs: {image: "[B, 3, 8*H, 16]"}
model: [{out: {op: conv2d, in: image, out: 2, kernel: 1}}]
outputs: {out: out}
"""


def test_a_size_that_is_open_takes_what_fits_it(tmp_path: Path):
    (tmp_path / "exact.yaml").write_text(EXACT)
    wanted = archspec.prepare(tmp_path / "exact.yaml", images=[picture(tmp_path, 16, 40)])
    assert wanted["image"].shape == (1, 3, 40, 16)
    assert wanted["image"].min() >= 0
    for width, height in [(16, 41), (15, 40)]:
        with pytest.raises(ArchspecError) as found:
            archspec.prepare(tmp_path / "exact.yaml", images=[picture(tmp_path, width, height)])
        assert codes(found) == ["X012"]
        assert f"{width} x {height}, not 16 x 8 * H" in str(found.value)


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n\0\0"])
def test_a_file_that_is_no_image(data: bytes, tmp_path: Path):
    (tmp_path / "x.png").write_bytes(data)
    for path in (tmp_path / "x.png", tmp_path / "nowhere.png", tmp_path):
        with pytest.raises(ArchspecError) as found:
            archspec.prepare("vit", images=[path], overrides=SMALL)
        assert codes(found) == ["X011"]


def test_channels_that_no_file_has(tmp_path: Path):
    for params in ({"num_channels": 2}, {"num_channels": 4}):
        with pytest.raises(ArchspecError) as found:
            archspec.prepare("vit", images=[picture(tmp_path, 24, 24)], overrides=SMALL | params)
        assert codes(found) == ["X012"]
    with pytest.raises(ArchspecError) as found:
        write_image(torch.zeros(2, 4, 4), tmp_path / "y.png", Images())
    assert codes(found) == ["X012"]


def test_means_of_other_channels(tmp_path: Path):
    with pytest.raises(ArchspecError, match="mean and std are not those of 1 channels"):
        archspec.prepare(
            "clip", images=[picture(tmp_path, 24, 24)], overrides=PAIRS | {"num_channels": 1}, graph="image"
        )


def test_without_pillow_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = picture(tmp_path, 24, 24)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ArchspecError) as found:
        archspec.prepare("vit", images=[path], overrides=SMALL)
    assert codes(found) == ["X002"]
    assert "archspec-compiler[image]" in str(found.value)
