import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from archspec.errors import ArchspecError, WeightsError
from archspec.weights.folder import open_checkpoint
from archspec.weights.load_torch import load_native, load_state
from archspec.weights.mapping import identity
from archspec.weights.save_torch import save_folder, save_native
from tests.weights.models import DECODER, DECODER_RULES, DECODER_TIES, build

WEIGHTS = build(DECODER, DECODER_TIES, **DECODER_RULES)
CONFIG = {"model_type": "x", "sizes": [1, 2]}


def random_state(dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn(spec.shape).to(dtype) for name, spec in DECODER.items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(tensor, other[name]) for name, tensor in one.items()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [10**9, 2000, 1])
def test_what_is_written_is_read_back(tmp_path: Path, dtype: torch.dtype, size: int):
    state = random_state(dtype)
    save_folder(state, WEIGHTS, tmp_path / "out", CONFIG, shard_size=size)
    assert same(load_state(tmp_path / "out", WEIGHTS), state)
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == CONFIG


def test_one_file_has_its_usual_name_and_metadata(tmp_path: Path):
    save_folder(random_state(), WEIGHTS, tmp_path, CONFIG)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert set(file.keys()) == set(WEIGHTS.hub_shapes())


def test_others_may_read_the_file_as_they_may_any(tmp_path: Path):
    beside = tmp_path / "beside"
    beside.touch()
    save_native({"a": torch.ones(2)}, tmp_path / "own.safetensors")
    assert (tmp_path / "own.safetensors").stat().st_mode == beside.stat().st_mode


def test_shards_are_small_and_indexed(tmp_path: Path):
    save_folder(random_state(), WEIGHTS, tmp_path, CONFIG, shard_size=2000, library="diffusers")
    index = json.loads((tmp_path / "diffusion_pytorch_model.safetensors.index.json").read_text())
    files = sorted(set(index["weight_map"].values()))
    count = len(files)
    assert count > 2
    assert files[0] == f"diffusion_pytorch_model-00001-of-{count:05d}.safetensors"
    assert index["metadata"]["total_size"] == sum(4 * spec.size for spec in DECODER.values())
    assert set(index["weight_map"]) == set(WEIGHTS.hub_shapes())
    for name in files:
        held = list(open_checkpoint(tmp_path / name).tensors.values())
        assert len(held) == 1 or 4 * sum(spec.size for spec in held) <= 2000


def test_the_same_state_gives_the_same_bytes(tmp_path: Path):
    for folder in ("a", "b"):
        save_folder(random_state(), WEIGHTS, tmp_path / folder, CONFIG)
    one, other = ((tmp_path / folder / "model.safetensors").read_bytes() for folder in ("a", "b"))
    assert one == other


def test_tied_names_in_the_state_are_left_out_but_must_agree(tmp_path: Path):
    state = random_state()
    tied = {**state, "lm_head.weight": state["wte.weight"]}
    save_folder(tied, WEIGHTS, tmp_path / "out", CONFIG)
    assert same(load_state(tmp_path / "out", WEIGHTS), state)
    with pytest.raises(WeightsError, match="W043"):
        save_folder({**state, "lm_head.weight": state["wte.weight"] + 1}, WEIGHTS, tmp_path / "no", CONFIG)


def changed(**changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    state: dict[str, Any] = {**random_state(), **{name.replace("__", "."): t for name, t in changes.items()}}
    return {name: tensor for name, tensor in state.items() if tensor is not None}


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (changed(ln_f__bias=None), "W040"),
        (changed(extra=torch.ones(1)), "W041"),
        (changed(ln_f__bias=torch.ones(9)), "W042"),
        (changed(ln_f__bias=torch.ones(8, dtype=torch.int64)), "W042"),
        (changed(ln_f__bias=torch.ones(8, device="meta")), "W042"),
    ],
)
def test_a_state_that_does_not_fit_leaves_nothing(tmp_path: Path, state: dict[str, torch.Tensor], code: str):
    with pytest.raises(WeightsError, match=code):
        save_folder(state, WEIGHTS, tmp_path / "out", CONFIG, shard_size=1)
    assert list(tmp_path.iterdir()) == []


def test_older_weights_in_the_folder_are_not_mixed_in(tmp_path: Path):
    save_folder(random_state(), WEIGHTS, tmp_path, CONFIG)
    (tmp_path / "notes.txt").write_text("kept")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(WeightsError, match="W045 .* holds other weights: model.safetensors"):
        save_folder(random_state(), WEIGHTS, tmp_path, {}, shard_size=1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    save_folder(random_state(), WEIGHTS, tmp_path, {})
    assert (tmp_path / "notes.txt").read_text() == "kept"


def test_a_place_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArchspecError):
        save_folder(random_state(), WEIGHTS, tmp_path / "file", CONFIG)
    with pytest.raises(ArchspecError):
        save_native(random_state(), tmp_path)


def test_our_own_names(tmp_path: Path):
    state = random_state()
    tied = {**state, "lm_head.weight": state["wte.weight"]}
    save_native(tied, tmp_path / "weights.safetensors", DECODER_TIES)
    assert same(load_native(tmp_path / "weights.safetensors"), state)
    assert same(load_native(tmp_path / "weights.safetensors", identity(DECODER, DECODER_TIES)), state)


def test_views_and_shared_memory_are_written_whole_and_small(tmp_path: Path):
    base = torch.arange(100.0).reshape(10, 10)
    state = {
        "row": base[3],
        "column": base[:, 4],
        "one": base,
        "two": base,
        "none": base[:0],
        "nil": base[:0],
    }
    save_native(state, tmp_path / "w.safetensors")
    assert same(load_native(tmp_path / "w.safetensors"), state)
    assert (tmp_path / "w.safetensors").stat().st_size < 4 * 220 + 1000


def test_a_failure_half_way_keeps_the_old_file(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    save_native({"a": torch.ones(2)}, path)
    before = path.read_bytes()
    with pytest.raises(WeightsError, match="W042 'b' has no data"):
        save_native({"a": torch.zeros(2), "b": torch.ones(2, device="meta")}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
