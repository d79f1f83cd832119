"""How much memory an export takes: next to nothing by reference, a few tensors at a time else."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

import archspec
from tests.cli.runner import ROOT

# 2 GB in float32, 27 GB for the second.
SIZES = {
    "2 GB": {
        "hidden_size": 2048, "num_layers": 8, "num_heads": 16, "num_kv_heads": 8, "intermediate_size": 5632,
        "vocab_size": 32000,
    },
    "7 billion": {
        "hidden_size": 4096, "num_layers": 32, "num_heads": 32, "num_kv_heads": 32,
        "intermediate_size": 11008, "vocab_size": 32000,
    },
}  # fmt: skip
MEGABYTE = 2**20


def sparse(folder: Path, sizes: dict[str, int]) -> int:
    """A checkpoint of zeros that takes no room on the disk; gives the bytes of its tensors."""
    weights = archspec.weight_map(archspec.load("llama", overrides=sizes))
    header: dict[str, object] = {}
    at = 0
    for name, shape in weights.hub_shapes().items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    return at


def peaks(folder: Path, sizes: dict[str, int], call: str) -> tuple[int, int]:
    """The most memory that a fresh process has had before and after an export, in bytes."""
    code = f"""
import resource, archspec, archspec.exporting.job
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
archspec.export("llama", {call}, weights={str(folder)!r}, overrides={sizes!r},
                verification=archspec.Verification(run=False))
print(before, peak())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    return before, after


@pytest.mark.parametrize("name", SIZES)
def test_a_large_checkpoint_is_referenced_in_little_memory(name: str, tmp_path: Path):
    total = sparse(tmp_path, SIZES[name])
    before, after = peaks(tmp_path, SIZES[name], "reference=True")
    assert total > 2_000 * MEGABYTE * 0.9
    assert after - before < 100 * MEGABYTE
    assert (tmp_path / "model.onnx").stat().st_size < MEGABYTE


def test_weights_are_written_a_tensor_at_a_time(tmp_path: Path):
    """The largest tensor is an eighth of them; it is held once as read and once as laid out."""
    sizes = {**SIZES["2 GB"], "num_layers": 2, "hidden_size": 1024, "num_heads": 8, "num_kv_heads": 8}
    total = sparse(tmp_path, sizes)
    before, after = peaks(tmp_path, sizes, f"{str(tmp_path / 'out')!r}")
    assert (tmp_path / "out/model.onnx_data").stat().st_size > 0.99 * total
    assert after - before < total
