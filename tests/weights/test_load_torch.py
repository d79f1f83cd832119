from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from archspec.errors import WeightsError
from archspec.weights.arrays import TensorSpec
from archspec.weights.load_torch import iterate_state, load_native, load_state
from archspec.weights.mapping import identity
from tests.weights.files import entry, safetensors, written
from tests.weights.models import build, table

TENSORS = table(a__weight=(4, 3), b=(2,))
WEIGHTS = build(TENSORS, transpose=["a.weight"])


def saved(path: Path, **tensors: torch.Tensor) -> Path:
    save_file({name.replace("__", "."): tensor for name, tensor in tensors.items()}, path)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_floats_keep_the_dtype_of_the_file_unless_told(tmp_path: Path, dtype: torch.dtype):
    stored = torch.arange(12).reshape(3, 4).to(dtype)
    path = saved(tmp_path / "model.safetensors", a__weight=stored, b=torch.ones(2, dtype=dtype))
    state = load_state(tmp_path, WEIGHTS)
    assert {tensor.dtype for tensor in state.values()} == {dtype}
    assert torch.equal(state["a.weight"], stored.T)
    assert {tensor.dtype for tensor in load_state(path, WEIGHTS, torch.float16).values()} == {torch.float16}


def test_integers_keep_their_dtype(tmp_path: Path):
    weights = identity({"n": TensorSpec((2,), "int64")}, {})
    saved(tmp_path / "model.safetensors", n=torch.tensor([1, 2], dtype=torch.int32))
    assert load_state(tmp_path, weights, torch.float16)["n"].dtype == torch.int32


def test_tensors_own_their_memory(tmp_path: Path):
    weights = build(table(q=(2, 3), k=(2, 3)), fuse={"qk": ["q", "k"]}, transpose=["qk"])
    path = saved(tmp_path / "x.safetensors", qk=torch.arange(12.0).reshape(3, 4))
    state = load_state(path, weights)
    path.unlink()
    for tensor in state.values():
        assert tensor.untyped_storage().nbytes() == tensor.nbytes
    assert state["k"].tolist() == [[2, 6, 10], [3, 7, 11]]


def test_a_transposed_matrix_stays_laid_out_as_in_the_file(tmp_path: Path):
    """Its copy would be slower to multiply a row with, and take twice the memory while it is made."""
    path = saved(tmp_path / "x.safetensors", w=torch.arange(12.0).reshape(3, 4))
    state = load_state(path, build(table(w=(4, 3)), transpose=["w"]))
    assert state["w"].shape == (4, 3)
    assert state["w"].T.is_contiguous()


def test_tensors_come_one_at_a_time(tmp_path: Path):
    saved(tmp_path / "model.safetensors", a__weight=torch.ones(3, 4), b=torch.ones(2))
    assert [name for name, _ in iterate_state(tmp_path, WEIGHTS)] == ["a.weight", "b"]


def test_our_own_names(tmp_path: Path):
    path = saved(tmp_path / "w.safetensors", a__weight=torch.ones(4, 3), b=torch.zeros(2))
    weights = identity(TENSORS, {"c": "b"})
    assert load_native(path).keys() == load_native(path, weights).keys() == TENSORS.keys()
    with pytest.raises(WeightsError, match="W041"):
        load_native(path, identity({"b": TENSORS["b"]}, {}))


def test_a_dtype_that_torch_cannot_hold(tmp_path: Path):
    header = {"a": entry([4], 0, "F6_E2M3", 3)}
    with pytest.raises(WeightsError, match="W022 cannot read 'a'"):
        load_native(written(tmp_path / "w.safetensors", safetensors(header, bytes(3))))


def overwrite(path: Path) -> None:
    path.write_bytes(b"x" * 20)


@pytest.mark.parametrize("ruin", [Path.unlink, overwrite])
def test_a_file_that_goes_bad_after_it_was_listed(tmp_path: Path, ruin: Callable[[Path], object]):
    for name, tensor in (("a.weight", torch.ones(3, 4)), ("b", torch.ones(2))):
        save_file({name: tensor}, tmp_path / f"{name}.safetensors")
    table = '{"weight_map": {"a.weight": "a.weight.safetensors", "b": "b.safetensors"}}'
    written(tmp_path / "model.safetensors.index.json", table.encode())
    tensors = iterate_state(tmp_path, WEIGHTS)
    next(tensors)
    ruin(tmp_path / "b.safetensors")
    with pytest.raises(WeightsError, match="W022 cannot read 'b'"):
        next(tensors)


def test_every_truncation_is_an_error_not_a_crash(tmp_path: Path):
    path = saved(tmp_path / "model.safetensors", a__weight=torch.ones(3, 4), b=torch.ones(2))
    content = path.read_bytes()
    for size in range(len(content)):
        with pytest.raises(WeightsError, match="W022"):
            load_state(written(path, content[:size]), WEIGHTS)
