"""The same spec gives the same bytes, in each process; none of it needs torch."""

import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, sys
import numpy as np, onnx_ir as ir
from archspec import api
from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.modes import in_mode
from archspec.backends.onnx.profile import Profile

def zeros(name, param):
    return ir.tensor(np.zeros([int(size) for size in param.value.type.shape], np.float32), name=name)

PARAMS = {"num_layers": 2, "vocab_size": 11, "hidden_size": 8, "num_heads": 2, "num_kv_heads": 1,
          "head_dim": 4, "intermediate_size": 6, "num_experts": 3}
for mode in ("full", "cached"):
    graph, form = in_mode(api.lower(api.load("mixtral", overrides=PARAMS)), mode)
    model = Emitter(graph, Profile(), form, zeros).model()
    print(hashlib.sha256(ir.to_proto(model).SerializeToString(deterministic=True)).hexdigest())
assert "torch" not in sys.modules
"""


def digests(seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONHASHSEED": seed, "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", ["1", "42"])
def test_bytes_do_not_depend_on_the_hash_seed(seed: str):
    assert digests("0") == digests(seed)
