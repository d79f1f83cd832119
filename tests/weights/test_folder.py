import json
import os
from pathlib import Path
from typing import Any

import pytest

from archspec.errors import WeightsError
from archspec.weights.folder import hub_config, open_checkpoint
from archspec.weights.rules import read_rules
from tests.weights.files import plain, written


def refused(path: Path, code: str) -> str:
    with pytest.raises(WeightsError) as error:
        open_checkpoint(path)
    assert [found.code for found in error.value.diagnostics] == [code]
    return str(error.value)


def index(folder: Path, content: Any, stem: str = "model") -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    return written(folder / f"{stem}.safetensors.index.json", text.encode())


@pytest.mark.parametrize(
    "name", ["model.safetensors", "diffusion_pytorch_model.safetensors", "other.safetensors"]
)
def test_a_folder_with_one_file(tmp_path: Path, name: str):
    file = written(tmp_path / name, plain(["a", "b"]))
    checkpoint = open_checkpoint(tmp_path)
    assert list(checkpoint.tensors) == ["a", "b"]
    assert checkpoint.files == {"a": file, "b": file}
    assert open_checkpoint(file).tensors == checkpoint.tensors


@pytest.mark.parametrize("stem", ["model", "diffusion_pytorch_model"])
def test_a_folder_with_shards(tmp_path: Path, stem: str):
    written(tmp_path / "one.safetensors", plain(["a", "b"]))
    two = written(tmp_path / "two.safetensors", plain(["c"]))
    table = {"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"}
    index(tmp_path, {"metadata": {}, "weight_map": table}, stem)
    checkpoint = open_checkpoint(tmp_path)
    assert list(checkpoint.tensors) == ["a", "b", "c"]
    assert checkpoint.files["c"] == two


def test_a_single_file_is_preferred_to_an_index(tmp_path: Path):
    written(tmp_path / "model.safetensors", plain(["a"]))
    index(tmp_path, "not json")
    assert list(open_checkpoint(tmp_path).tensors) == ["a"]


def test_links_are_followed(tmp_path: Path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    written(tmp_path / "blobs" / "0123", plain(["a"]))
    (tmp_path / "snapshot" / "model.safetensors").symlink_to(Path("..", "blobs", "0123"))
    assert list(open_checkpoint(tmp_path / "snapshot").tensors) == ["a"]


@pytest.mark.parametrize(
    "name",
    [
        "../x.safetensors",
        "/etc/x.safetensors",
        "sub/x.safetensors",
        "..\\x.safetensors",
        "C:x.safetensors",
        "x\0.safetensors",
        "\x1b[2J.safetensors",
        "\ud800.safetensors",
        "x" * 300 + ".safetensors",
        "x.bin",
        "",
        3,
        None,
        ["x.safetensors"],
    ],
)
def test_an_index_leads_nowhere_else(tmp_path: Path, name: Any):
    written(tmp_path / "x.safetensors", plain(["a"]))
    folder = tmp_path / "inner"
    folder.mkdir()
    index(folder, {"weight_map": {"a": name}})
    assert "not the plain name of a safetensors file" in refused(folder, "W023")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "no `weight_map`"),
        ({}, "no `weight_map`"),
        ({"weight_map": {}}, "no `weight_map`"),
        ({"weight_map": ["a"]}, "no `weight_map`"),
        ({"weight_map": {"a": "gone.safetensors"}}, "1 files that are not there: gone.safetensors"),
        ({"weight_map": {"a": "x.safetensors", "b": "x.safetensors"}}, "places 'b' in x.safetensors"),
        (
            {"weight_map": {"a": "y.safetensors", "b": "x.safetensors"}},
            "'a' is in both x.safetensors and y.safe",
        ),
    ],
)
def test_unsound_indices(tmp_path: Path, content: Any, words: str):
    written(tmp_path / "x.safetensors", plain(["a"]))
    written(tmp_path / "y.safetensors", plain(["a"]))
    index(tmp_path, content)
    assert words in refused(tmp_path, "W023")


def test_a_truncated_shard(tmp_path: Path):
    written(tmp_path / "x.safetensors", plain(["a"])[:-1])
    index(tmp_path, {"weight_map": {"a": "x.safetensors"}})
    refused(tmp_path, "W022")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "x.ckpt", "x.pth", "x.pkl"])
def test_pickles_are_never_read(tmp_path: Path, name: str):
    written(tmp_path / name, b"\x80\x02")
    for path in (tmp_path, tmp_path / name):
        text = refused(path, "W021")
        assert name in text
        assert "save_pretrained" in text


def test_nothing_to_read(tmp_path: Path):
    assert "holds no safetensors file" in refused(tmp_path, "W020")
    assert "no checkpoint at" in refused(tmp_path / "absent", "W020")
    assert "cannot read" in refused(tmp_path / ("x" * 300), "W020")
    written(tmp_path / "a.safetensors", plain(["a"]))
    written(tmp_path / "b.safetensors", plain(["b"]))
    assert "2 safetensors files and no index" in refused(tmp_path, "W020")


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "x.safetensors")
    assert "not a regular file" in refused(tmp_path, "W022")


def test_the_class_is_spelt_as_the_library_spells_it():
    rules = {"class": "Net", "config": {"size": 3}}
    assert hub_config(read_rules(rules)) == {"architectures": ["Net"], "size": 3}
    assert hub_config(read_rules({**rules, "library": "diffusers"})) == {"_class_name": "Net", "size": 3}
    assert hub_config(read_rules({})) == {}
