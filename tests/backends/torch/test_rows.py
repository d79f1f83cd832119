"""Attention of chosen queries, with the linear modules before it and the `where` behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import archspec

SPEC = """archspec: 1
name: rows
params: {size: 16, heads: 4}
inputs: {x: "[B, S, size]", marked: "bool[B, S]", real: "bool[B, S]"}
model:
  - q: {op: linear, in: x, out: size, init: normal(0.3)}
  - k: {op: linear, in: x, out: size, init: normal(0.3)}
  - v: {op: linear, in: x, out: size, init: normal(0.3)}
  - wide:
      op: sdpa
      in: "rearrange(q, 'b s (h e) -> b h s e', h=heads)"
      k: "rearrange(k, 'b s (h e) -> b h s e', h=heads)"
      v: "rearrange(v, 'b s (h e) -> b h s e', h=heads)"
      mask: marked[b, q] and real[b, k]
  - other: "rearrange(x, 'b s (h e) -> b h s e', h=heads)"
  - y: "where(marked[:, None, :, None], wide, other)"
outputs: {y: y}
"""
# what keeps the modules, the `where`, or both outside of the attention
CHANGES = {
    "as it is": ("", "", "project_and_choose("),
    "keys read twice": ("outputs: {y: y}", "outputs: {y: y, k: k}", "chosen_attention("),
    "keys of something else": ("k: {op: linear, in: x", "k: {op: linear, in: 0 - x", "chosen_attention("),
    "another condition": ("where(marked", "where(real", "project_and_choose("),
    "turned around": ("wide, other", "other, wide", "project_and_choose("),
}


def inputs(length: int) -> dict[str, Tensor]:
    make = torch.Generator().manual_seed(length)
    marked, real = torch.zeros(2, length, dtype=torch.bool), torch.ones(2, length, dtype=torch.bool)
    marked[0, :2], marked[1, length // 2], real[1, -3:] = True, True, False
    return {"x": torch.randn(2, length, 16, generator=make), "marked": marked, "real": real}


def pair(folder: Path, change: str) -> tuple[Any, Any, str]:
    """The changed model as eager and fused, with the same weights, and the fused one's source."""
    path, (old, new, _) = folder / "rows.yaml", CHANGES[change]
    path.write_text(SPEC.replace(old, new) if old else SPEC)
    eager, fused = (archspec.compile(path, attention=kind, seed=3) for kind in ("eager", "sdpa"))
    return eager, fused, archspec.source(path, attention="sdpa")


def result(model: Any, given: dict[str, Tensor], change: str) -> Tensor:
    """What the spec defines of y: where `wide` stands at rows that are not marked, nothing."""
    y = model(**given)
    y = y if isinstance(y, Tensor) else y.y
    rows = {"another condition": given["marked"] | ~given["real"], "turned around": given["marked"]}
    return y.transpose(1, 2)[rows.get(change, given["marked"] | True)]


@pytest.mark.parametrize("change", CHANGES)
def test_it_gives_what_every_query_would_give(change: str, tmp_path: Path):
    eager, fused, source = pair(tmp_path, change)
    assert CHANGES[change][2] in source.partition("class Rows")[2]
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            torch.testing.assert_close(result(fused, inputs(30), change), result(eager, inputs(30), change))


def test_the_where_joins_the_attention_of_its_own_rows_alone(tmp_path: Path):
    joined = {change: "torch.where" not in pair(tmp_path, change)[2].partition("class Rows")[2]
              for change in CHANGES}  # fmt: skip
    assert [change for change in CHANGES if not joined[change]] == ["another condition", "turned around"]


def test_operands_that_are_rearranged_in_place_are_called_after_what_they_are(tmp_path: Path):
    _, _, source = pair(tmp_path, "keys of something else")
    assert "return chosen_attention(q, k, v, mask, marked, other)" in source


def test_it_trains_as_the_literal_definition_does(tmp_path: Path):
    eager, fused, _ = pair(tmp_path, "as it is")
    for model in (eager, fused):
        model(**inputs(30)).square().sum().backward()
    theirs = dict(eager.named_parameters())
    for name, parameter in fused.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs[name].grad, atol=1e-4, rtol=1e-4)


def test_it_compiles_whole_and_exports_for_any_length(tmp_path: Path):
    _, fused, _ = pair(tmp_path, "as it is")
    shapes = {name: {1: torch.export.Dim("length", min=2, max=4096)} for name in inputs(30)}
    with torch.no_grad():
        exported = torch.export.export(fused, (), inputs(30), dynamic_shapes=shapes).module()
        for length in (30, 90):
            torch.testing.assert_close(exported(**inputs(length)), fused(**inputs(length)))
        compiled: Any = torch.compile(fused, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(**inputs(30)), fused(**inputs(30)))
