"""The resolved document: a spec of its own that means the same graph."""

from pathlib import Path

import pytest

from archspec import library
from archspec.errors import Source
from archspec.lowering.lower import lower
from archspec.resolve import load
from archspec.spec.fmt import format_text
from archspec.spec.node import plain
from archspec.spec.spec import Spec
from archspec.spec.yaml import load_text
from archspec.views.resolved import resolved, resolved_document
from tests.cli.runner import SPEC, written

PRESETS = [(name, preset) for name in library.names() for preset in (None, *load(name).presets)]
LAYERS = """\
archspec: 1
name: layers
params: {dim: 4, act: relu, odd: '"a b"', sizes: [dim, 2*dim], scale: dim ** -0.5, on: true, none: null}
defaults:
  linear: {bias: false}
  mlp: {activation: act}
  layernorm: {eps: 1e-3}
inputs: {x: "float[B, S, dim]"}
blocks:
  layer:
    body:
      - residual: [layernorm, {ff: {op: mlp, intermediate_size: dim}}]
      - parallel:
          branches: [[{a: {op: linear, out: dim}}], {b: {op: linear, out: dim, bias: true}}]
      - add: {to: {branch: [{side: {op: linear, in: x, out: dim}}]}}
model:
  - first: {op: layernorm, in: x}
  - layers:
      repeat: 2
      vary: {ff: {at: {0: {op: mlp, intermediate_size: 8}}, else: {op: linear, out: dim}}}
      body:
        - ff: {op: mlp, intermediate_size: 4}
        - residual: {body: [silu], shortcut: {op_less: {op: linear, out: dim}}}
  - last: {op: layer}
outputs: {y: last}
"""


def again(spec: Spec, folder: Path) -> Spec:
    return load(written(folder, resolved(spec), "resolved.yaml"))


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_the_library_resolved_means_the_same(name: str, preset: str | None, tmp_path: Path):
    spec = load(name, preset=preset)
    numbers = [key for key, value in spec.table("params").items() if isinstance(value, float)]
    spec = load(name, preset=preset, overrides=dict.fromkeys(numbers[:1], 0.25))
    assert lower(again(spec, tmp_path)) == lower(spec)
    assert format_text(Source("resolved", resolved(spec))) == resolved(spec)


def test_defaults_reach_every_kind_of_step(tmp_path: Path):
    spec = load(written(tmp_path, LAYERS))
    assert lower(again(spec, tmp_path)) == lower(spec)
    text = resolved(spec)
    assert text.count("eps: 1e-3") == 2
    assert text.count("bias: false") == 4
    assert (
        "defaults:\n  linear: {bias: false}\n  mlp: {activation: act}\n\n" in text
    )  # `vary` may put them in


def test_params_are_values_with_their_expressions_behind(tmp_path: Path):
    lines = resolved(load(written(tmp_path, LAYERS), overrides={"dim": 2})).splitlines()
    start = lines.index("params:")
    assert lines[start + 1 : start + 8] == [
        "  dim: 2",
        "  act: relu",
        """  odd: '"a b"'""",
        "  sizes: [2, 4]  # [dim, 2*dim]",
        "  scale: 0.7071067811865476  # dim ** -0.5",
        "  on: true",
        "  none: null",
    ]


def test_parents_and_presets_are_written_in(tmp_path: Path):
    written(tmp_path)
    child = load(written(tmp_path, "extends: tiny.yaml\nname: child\n", "child.yaml"), preset="big")
    document = plain(resolved_document(child))
    assert isinstance(document, dict)
    assert (document["name"], document["params"]) == (
        "child",
        {"vocab_size": 10, "hidden_size": 8, "wide": 16},
    )
    assert not {"extends", "presets", "defaults", "patch"} & set(document)


def test_facts_are_kept_only_where_they_still_hold(tmp_path: Path):
    stated = SPEC.replace("params: 80}", "params: 80, presets: {big: {params: 224}}, source: a paper}")
    path = written(tmp_path, stated)
    facts = [
        plain(
            resolved_document(load(path, preset=preset, overrides=overrides)).get("expect")
            or load_text(Source("", ""))
        )
        for preset, overrides in [(None, {}), ("big", {}), (None, {"wide": 3})]
    ]
    assert facts == [{"params": 80, "source": "a paper"}, {"params": 224, "source": "a paper"}, None]
