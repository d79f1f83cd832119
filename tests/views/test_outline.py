"""The outline: every module with its place in the tree, its count and its own parameters."""

from pathlib import Path

import pytest

from archspec.library import names
from archspec.lowering.lower import lower
from archspec.resolve import load
from archspec.views.outline import Outline
from tests.cli.runner import SPEC, written


@pytest.mark.parametrize("name", names())
def test_the_modules_own_all_parameters(name: str):
    short = Outline.of(lower(load(name)))
    assert sum(module.parameters * module.count for module in short.modules) == short.parameters


def test_the_tree_shows_depth_counts_and_ties():
    lines = str(Outline.of(lower(load("gpt2")))).splitlines()
    assert "h         block × num_layers = 12" in lines
    assert any(line.startswith("  attn    attention") for line in lines)
    assert any(line.startswith("    qkv   linear                    1,771,776  weight [") for line in lines)
    assert lines[-1] == "tied  lm_head.weight  wte.weight"


def test_unrolled_layers_keep_their_number(tmp_path: Path):
    text = SPEC.replace(
        "  - up: {op", "  - stage: {each: {n: [4, 6]}, body: [{grow: {op: linear, out: n}}]}\n  - up: {op"
    )
    text = text.replace("expect: {params: 80}\n", "")
    lines = str(Outline.of(lower(load(written(tmp_path, text))))).splitlines()
    names = [line.split()[0] for line in lines if "  linear " in line or line.startswith("stage")]
    assert names == ["stage.0", "grow", "stage.1", "grow", "up"]


def test_what_runs_at_each_position_says_so():
    lines = str(Outline.of(lower(load("lstm")))).splitlines()
    assert "  cell     cell × S, one after another" in lines
