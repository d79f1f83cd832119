"""Tensors of a checkpoint as numpy arrays: those that torch reads, one at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import archspec
from archspec import model
from archspec.errors import WeightsError
from archspec.weights.held import held_in
from archspec.weights.load_numpy import Tensors, numpy_dtype
from tests.checkpoints import Reference
from tests.exporting.small import EXPERTS, FAMILIES, saved

CASES = {**FAMILIES, "experts": EXPERTS}


def opened(reference: Reference, path: Path) -> Tensors:
    spec = archspec.load(reference.spec, overrides=reference.params)
    (held,) = held_in(spec, archspec.lower(spec), path)
    return Tensors(held)


@pytest.mark.parametrize("reference", CASES.values(), ids=CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_same_as_torch_reads(reference: Reference, dtype: torch.dtype, tmp_path: Path):
    saved(reference, tmp_path, dtype)
    spec = archspec.load(reference.spec, overrides=reference.params)
    wanted = model.read(spec, archspec.lower(spec), tmp_path)
    tensors = opened(reference, tmp_path)
    assert set(tensors.names) == set(wanted)
    for name, tensor in wanted.items():
        found = tensors.read(name)
        assert found.dtype == numpy_dtype(str(dtype).removeprefix("torch."))
        np.testing.assert_array_equal(found.astype(np.float32), tensor.float().numpy())


def test_what_several_are_cut_from_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    saved(EXPERTS, tmp_path)
    tensors = opened(EXPERTS, tmp_path)
    shared = [name for name in tensors.names if len(tensors.recipe(name).ours) > 1]
    reads: list[str] = []
    real = tensors.files.read

    def counted(name: str, /) -> Any:
        reads.append(name)
        return real(name)

    monkeypatch.setattr(tensors.files, "read", counted)
    for name in shared:
        tensors.read(name)
    assert len(reads) == len(set(reads))


def test_the_place_of_a_tensor_holds_its_bytes(tmp_path: Path):
    saved(FAMILIES["encoder"], tmp_path)
    tensors = opened(FAMILIES["encoder"], tmp_path)
    name = next(name for name in tensors.names if not tensors.recipe(name).steps)
    at = tensors.place(tensors.recipe(name).hub[0])
    data = at.path.read_bytes()[at.offset : at.offset + at.length]
    assert data == tensors.read(name).tobytes()


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path):
    saved(FAMILIES["encoder"], tmp_path)
    tensors = opened(FAMILIES["encoder"], tmp_path)
    names = list(tensors.names)
    tensors.read(names[0])
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(WeightsError, match="W022"):
        for name in names:
            tensors.read(name)
