"""Models that look near themselves: by blocks under sdpa, whole under eager, and the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import archspec

SPEC = """archspec: 1
name: near
params: {{num_layers: 4, size: 16, reach: 40}}
inputs:
  x: "[B, S, size]"
  attention_mask: {{type: "int64[B, {past}S]", optional: true}}
  marked: {{type: "bool[B, S]", default: "full([B, S], 1) == 0"}}
{stream}blocks:
  layer:
    args: {{window: {{type: int, default: null}}}}
    in:
      x: "[B, S, size]"
      attention_mask: {{type: "int64[B, {past}S]", optional: true}}
      marked: "bool[B, S]"
    body:
      - residual:
          - attn: {{op: attention, num_heads: 4, num_kv_heads: 2, mask: "{mask}", init: normal(0.2)}}
model:
  - layers: {{repeat: num_layers, block: layer, in: x, attention_mask: attention_mask, marked: marked{vary}}}
outputs: {{y: layers}}
"""
# fp32 sums in another order; results are around 1, wrong ones off by 0.1
CLOSE: Any = {"atol": 1e-4, "rtol": 1e-4}
ALTERNATE = ', window: "reach if i % 2 == 0 else null"'


def spec(folder: Path, mask: str, *, streams: bool = False, vary: str = "") -> Path:
    path = folder / "near.yaml"
    stream = "stream: S\n" if streams else ""
    text = SPEC.format(mask=mask, stream=stream, past="past + " if streams else "", vary=vary)
    path.write_text(text)
    return path


def pair(path: Path) -> tuple[Any, Any]:
    """The model under both implementations, with the same weights."""
    eager = archspec.compile(path, attention="eager", seed=3)
    fused = archspec.compile(path, attention="sdpa")
    fused.load_state_dict(eager.state_dict())
    return eager, fused


def inputs(length: int) -> dict[str, Tensor]:
    make = torch.Generator().manual_seed(length)
    marked = torch.zeros(2, length, dtype=torch.bool)
    marked[0, :2], marked[1, length // 2] = True, True
    padded = torch.ones(2, length, dtype=torch.int64)
    padded[1, -length // 10 :] = 0
    return {"x": torch.randn(2, length, 16, generator=make), "attention_mask": padded, "marked": marked}


MASKS = {
    "behind": "causal and window(reach) and padding(attention_mask)",
    "around": "near(reach) and padding(attention_mask)",
    "marked": "(near(reach) or marked[b, k]) and padding(attention_mask)",
    "wide for some": "marked[b, q] and padding(attention_mask)",
    "behind for some": "causal and marked[b, q] and padding(attention_mask)",
    "near for some": "near(reach) and marked[b, q] and padding(attention_mask)",
}


@pytest.mark.parametrize("length", [30, 300])
@pytest.mark.parametrize("kind", MASKS)
def test_both_implementations_agree(kind: str, length: int, tmp_path: Path):
    eager, fused = pair(spec(tmp_path, MASKS[kind]))
    given = inputs(length)
    rows = given["attention_mask"].bool() & (given["marked"] if kind.endswith("for some") else True)
    if kind.endswith("for some"):  # the other rows are undefined, and the next layer reads them
        eager.layers, fused.layers = eager.layers[:1], fused.layers[:1]
    with torch.no_grad():
        torch.testing.assert_close(fused(**given)[rows], eager(**given)[rows], **CLOSE)
        del given["attention_mask"]
        torch.testing.assert_close(fused(**given)[rows], eager(**given)[rows], **CLOSE)


@pytest.mark.parametrize(
    ("mask", "name"),
    [
        (MASKS["behind"], "causal_window_padding_mask"),
        (MASKS["marked"], "near_or_marked_padding_mask"),
        ("near(reach) and marked[b, k]", "near_marked_mask"),
        ("q % 2 == k % 2", "visible_mask"),
    ],
)
def test_a_mask_is_named_after_its_terms(mask: str, name: str, tmp_path: Path):
    assert f"def {name}(" in archspec.source(spec(tmp_path, mask), attention="eager")


def test_layers_with_and_without_a_window_share_a_class(tmp_path: Path):
    path = spec(tmp_path, "causal", vary="")
    path.write_text(
        path.read_text().replace('"causal"', '"causal and padding(attention_mask)", window: window')
    )
    path.write_text(path.read_text().replace("marked: marked}", f"marked: marked{ALTERNATE}}}"))
    eager, fused = pair(path)
    assert archspec.source(path, attention="sdpa").count("class Attention") == 1
    with torch.no_grad():
        torch.testing.assert_close(fused(**inputs(300)), eager(**inputs(300)), **CLOSE)


def test_decoding_past_the_window_gives_what_the_whole_gives(tmp_path: Path):
    _, fused = pair(spec(tmp_path, MASKS["behind"], streams=True))
    given = inputs(260)
    x, padding = given["x"], torch.ones(2, 260, dtype=torch.int64)
    with torch.no_grad():
        whole, cache = fused(x, padding), fused.make_cache(260)
        parts = [
            fused(x[:, a:b], padding[:, :b], cache=cache)
            for a, b in ((0, 200), (200, 258), (258, 259), (259, 260))
        ]
    torch.testing.assert_close(torch.cat(parts, 1), whole, **CLOSE)


@pytest.mark.parametrize("kind", MASKS)
def test_it_compiles_whole_and_exports(kind: str, tmp_path: Path):
    _, fused = pair(spec(tmp_path, MASKS[kind]))
    given = inputs(300)
    length = torch.export.Dim("length", min=2, max=4096)
    shapes = {name: {1: length} for name in given}
    with torch.no_grad():
        expected = fused(**given)
        exported = torch.export.export(fused, (), given, dynamic_shapes=shapes)
        rows = given["marked"] if kind.endswith("for some") else given["marked"] | True
        if not kind.endswith("for some"):
            torch.testing.assert_close(exported.module()(**given)[rows], expected[rows], **CLOSE)
            shorter = inputs(90)
            torch.testing.assert_close(exported.module()(**shorter), fused(**shorter), **CLOSE)
        torch.compile(fused, fullgraph=True, backend="eager")(**given)
