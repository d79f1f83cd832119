"""Emitted source as a stranger meets it: clean, stable, alone, and true to the graph."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import archspec
from archspec.ir.graph import parameters

SPECS = [(name, attention) for name in ("gpt2", "bert", "t5") for attention in ("eager", "sdpa")]
RULES = "E,F,W,I,UP,B,C4,RET,SIM"
ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "archspec":
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
space = {"__name__": "emitted"}
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), space)
import torch
model = space["GPT2"](num_layers=1).eval()
print(tuple(model(torch.tensor([[1, 2, 3]])).shape))
"""
READS_ITS_START = """archspec: 1
name: wired
inputs: {x: "[B, 4]"}
model:
  - first: {op: linear, in: x, out: 4}
  - one: {repeat: 1, body: [{inner: {op: linear, out: 4}}]}
  - two: {repeat: 2, body: [{again: {op: linear, out: 4, in: one}}]}
outputs: {y: two}
"""


@pytest.mark.parametrize(("name", "attention"), SPECS)
def test_ruff_has_nothing_to_say(name: str, attention: str, tmp_path: Path):
    path = tmp_path / "model.py"
    path.write_text(archspec.source(name, attention=attention), encoding="utf-8")
    for command in (["check", "--select", RULES], ["format", "--check"]):
        ruff = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--line-length",
            "110",
            "--no-cache",
            "--isolated",
            str(path),
        ]
        found = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr


def test_the_same_bytes_in_every_process():
    code = "import archspec, sys; sys.stdout.write(archspec.source('t5'))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1")
    ]
    assert runs[0] == runs[1]
    assert len(runs[0]) > 5000


def test_runs_where_there_is_only_torch(tmp_path: Path):
    path = tmp_path / "model.py"
    path.write_text(archspec.source("gpt2"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(1, 3, 50257)"


def test_gpt2_is_short():
    lines = archspec.source("gpt2").splitlines()
    assert len([line for line in lines if line.strip()]) <= 160


@pytest.mark.parametrize("name", ["gpt2", "bert", "t5"])
def test_the_module_has_the_tensors_of_the_graph(name: str):
    graph = archspec.lower(name)
    with torch.device("meta"):
        model = archspec.compile(name)
    ours = {path: tuple(int(d) for d in p.value.type.shape) for path, p in parameters(graph)}
    assert {key: tuple(value.shape) for key, value in model.state_dict().items()} == ours


def test_a_loop_keeps_what_its_body_reads_from_outside(tmp_path: Path):
    path = tmp_path / "wired.yaml"
    path.write_text(READS_ITS_START, encoding="utf-8")
    model = archspec.compile(path, seed=0)
    x = torch.linspace(-1, 1, 8).view(2, 4)
    w = model.state_dict()

    def linear(key: str, value: torch.Tensor) -> torch.Tensor:
        return value @ w[f"{key}.weight"].T + w[f"{key}.bias"]

    expected = linear("two.1.again", linear("one.0.inner", linear("first", x)))
    torch.testing.assert_close(model(x), expected)
