"""Loops over layers of several kinds: a rule of the index, so that there may be more or fewer of them."""

import re
from pathlib import Path

import torch

from archspec import api
from archspec.backends.torch.emit import emit
from tests.backends.torch.emitted import document, root

WINDOWS = """
params: {num_layers: 4}
inputs: {x: "[B, S, 8]"}
model:
  - layers:
      repeat: num_layers
      in: x
      vary: {attn.window: {cycle: [2, 3]}}
      body: [{attn: {op: attention, num_heads: 2, mask: causal}}]
outputs: {y: layers}
"""
KINDS = """
params: {num_layers: 5, dense_layers: 1}
inputs: {x: "[B, S, 8]"}
model:
  - layers:
      repeat: num_layers
      in: x
      vary: {mlp: '"narrow" if i < dense_layers else "wide"'}
      body: [{mlp: narrow}]
blocks:
  narrow: {body: [{fc: {op: linear, out: width}}, silu]}
  wide: {body: [{up: {op: linear, out: 2*width}}, silu, {down: {op: linear, out: 8}}]}
outputs: {y: layers}
"""


def test_layers_that_differ_in_their_mask_are_one_class(tmp_path: Path):
    """Each is handed its own mask, chosen by the index."""
    text = emit(api.lower(api.load(document(tmp_path, WINDOWS))))
    assert "x = layer(x, mask if i % 2 == 0 else mask_2)" in text
    assert len(re.findall(r"^class Layers?\d*\b", text, re.MULTILINE)) == 1


def test_layers_of_two_kinds_are_told_apart_by_the_index(tmp_path: Path):
    text = emit(api.lower(api.load(document(tmp_path, KINDS))))
    assert "if i == 0 else" in text


def test_there_may_be_more_layers_than_the_spec_says(tmp_path: Path):
    for spec in (WINDOWS, KINDS):
        path = document(tmp_path, spec)
        kind = root(emit(api.lower(api.load(path))))
        deeper = root(emit(api.lower(api.load(path, overrides={"num_layers": 6}))))().eval()
        told = kind(num_layers=6).eval()
        told.load_state_dict(deeper.state_dict())
        x = torch.randn(2, 5, 8)
        torch.testing.assert_close(told(x), deeper(x), rtol=0, atol=0)
