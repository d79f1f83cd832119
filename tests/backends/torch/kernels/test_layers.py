"""Layers with a window and layers without are one class, which chooses between the kernels of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec import api
from tests.backends.torch.emitted import classes, document
from tests.backends.torch.kernels import interpreter as interpreter  # repairs what runs the kernels

SPEC = """
params: {{num_layers: 4, size: 32, reach: 9, windows: [9, null, 5, 2]}}
inputs: {{x: "[B, S, size]", attention_mask: {{type: "int64[B, S]", optional: true}}}}
blocks:
  layer:
    args: {{window: {{type: int, default: null}}}}
    in: {{x: "[B, S, size]", attention_mask: {{type: "int64[B, S]", optional: true}}}}
    body:
      - residual:
          - attn: {{op: attention, num_heads: 2, mask: "causal and padding(attention_mask)", window: window}}
model:
  - layers: {{repeat: num_layers, block: layer, in: x, attention_mask: attention_mask, window: "{window}"}}
outputs: {{y: layers}}
"""
# What the layers' windows are, and how their constructor is told.
WRITTEN = {
    "reach if i % 2 == 0 else null": "reach if i % 2 == 0 else None",
    "reach if i < 3 else null": "None if i == num_layers - 1 else reach",
    "windows[i]": "for window in [9, None, 5, 2]",
}


def spec(folder: Path, window: str) -> Path:
    return document(folder, SPEC.format(window=window))


@pytest.mark.parametrize("window", WRITTEN)
def test_there_is_one_class(window: str, tmp_path: Path):
    source = api.source(spec(tmp_path, window), attention="triton")
    assert classes(source) == ["Attention", "Layer", "Case"]
    assert WRITTEN[window] in source
    assert "window: int | None" in source
    assert len(api.kernels(spec(tmp_path, window))) == 2


@pytest.mark.parametrize("window", WRITTEN)
def test_each_layer_computes_what_it_says(window: str, tmp_path: Path):
    path = spec(tmp_path, window)
    eager: Any = archspec.compile(path, attention="eager", seed=3)
    module: Any = archspec.compile(path, attention="triton")
    module.load_state_dict(eager.state_dict())
    x, there = torch.randn(1, 13, 32), torch.ones(1, 13, dtype=torch.int64)
    there[0, :2] = 0
    with torch.no_grad():
        got, wanted = module(x, there)[:, 2:], eager(x, there)[:, 2:]
    torch.testing.assert_close(got, wanted, atol=2e-5, rtol=2e-5)


def test_layers_that_differ_otherwise_stay_apart(tmp_path: Path):
    """One more module in the layers with a window: there is nothing to choose."""
    path = spec(tmp_path, "reach if i % 2 == 0 else null")
    more = "          - norm: {op: layernorm, when: window != null}\n          - attn:"
    path.write_text(path.read_text().replace("          - attn:", more))
    source = api.source(path, attention="triton")
    assert classes(source) == ["Attention", "Attention2", "Layer", "Layer2", "Case"]
    assert "is None:" not in source
