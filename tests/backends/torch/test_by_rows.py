"""Which modules run on some rows at a time, and that they give the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archspec

SPEC = """archspec: 1
name: long
params: {size: 16, wide: 64}
inputs: {x: "[B, S, size]"}
blocks:
  widened:
    in: {x: "[B, S, size]"}
    body:
      - up: {op: linear, in: x, out: wide, init: normal(0.2)}
      - act: gelu(up)
      - down: {op: linear, in: act, out: size, init: normal(0.2)}
model:
  - attn: {op: attention, in: x, num_heads: 4, mask: near(20), init: normal(0.2)}
  - mlp: {op: widened, in: x + attn}
outputs: {y: mlp}
"""
GATE = "gate: {op: linear, in: x, out: wide, init: normal(0.2)}"
CHANGES = {
    "wider and narrow again": ("", ""),
    "gated": ("act: gelu(up)", f"{GATE}\n      - act: silu(gate) * up"),
    "no text is long": ("near(20)", "causal"),
    "no wider": ("wide: 64", "wide: 16"),
    "rows of several thousand": ("size: 16, wide: 64", "size: 2048, wide: 4096"),
    "a mean over the rows": ("act: gelu(up)", "act: gelu(up - mean(up, axis=1, keep=true))"),
    "narrower than it was": ("out: size, init: normal(0.2)}\nmodel", "out: 8, init: normal(0.2)}\nmodel"),
}  # fmt: skip
TAKEN = ["wider and narrow again", "gated"]


def changed(folder: Path, change: str) -> Path:
    path, (old, new) = folder / "long.yaml", CHANGES[change]
    assert old in SPEC
    path.write_text(SPEC.replace(old, new) if old else SPEC)
    return path


def models(path: Path) -> list[Any]:
    """Eager and fused, with the same weights."""
    return [archspec.compile(path, attention=kind, seed=3) for kind in ("eager", "sdpa")]


@pytest.mark.parametrize("change", CHANGES)
def test_a_module_that_widens_rows_of_long_texts_takes_some_at_a_time(change: str, tmp_path: Path):
    source = archspec.source(changed(tmp_path, change), attention="sdpa")
    assert ("    @by_rows\n    def forward(self, x: Tensor) -> Tensor:" in source) == (change in TAKEN)
    assert "by_rows" not in archspec.source(changed(tmp_path, change), attention="eager")


@pytest.mark.parametrize("change", TAKEN)
def test_the_results_are_those_of_all_rows(change: str, tmp_path: Path):
    eager, fused = models(changed(tmp_path, change))
    x, sizes = torch.randn(1, 66000, 16), list[int]()

    def seen(module: nn.Module, given: tuple[Tensor, ...], y: Tensor) -> None:
        sizes.append(len(y))

    fused.mlp.up.register_forward_hook(seen)
    with torch.no_grad():
        torch.testing.assert_close(fused.mlp(x), eager.mlp(x))
    assert sizes == [33000, 33000]
