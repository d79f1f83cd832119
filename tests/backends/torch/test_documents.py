"""Models whose queries see their own document: by parts under sdpa, whole under eager, the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor

import archspec
from archspec.reports.account import Account
from archspec.reports.question import Question

SPEC = """archspec: 1
name: packed
params: {{num_layers: 2, size: 24, reach: 20}}
{stream}inputs:
  x: "[B, S, size]"
  attention_mask: {{type: "int64[B, {past}S]", optional: true}}
  doc: {doc}
blocks:
  layer:
    args: {{window: {{type: int, default: null}}}}
    in:
      x: "[B, S, size]"
      attention_mask: {{type: "int64[B, {past}S]", optional: true}}
      doc: {doc}
    body:
      - residual:
          - attn: {{op: attention, num_heads: 4, num_kv_heads: 2, mask: "{mask}", init: normal(0.2){window}}}
model:
  - layers: {{repeat: num_layers, block: layer, in: x, attention_mask: attention_mask, doc: doc{vary}}}
outputs: {{y: layers}}
"""
CLOSE: Any = {"atol": 1e-4, "rtol": 1e-4}  # fp32 sums in another order; wrong ones are off by 0.1
LENGTH = 600
MASKS = {
    "behind": "causal and doc[b, q] == doc[b, k]",
    "all of it": "doc[b, k] == doc[b, q] and padding(attention_mask)",
    "padded, behind": "causal and doc[b, q] == doc[b, k] and padding(attention_mask)",
    "strided": "doc[b, q] == doc[b, k] and (q - k) % 3 == 0 and k <= q",
}


def pair(
    folder: Path, mask: str, *, streams: bool = False, optional: bool = False, alternate: bool = False
) -> tuple[Any, Any]:
    """The model under both implementations, with the same weights."""
    path, past = folder / "packed.yaml", "past + " if streams else ""
    doc = f"{{type: 'int64[B, {past}S]'{', optional: true' if optional else ''}}}"
    window, vary = (
        (", window: window", ', window: "reach if i % 2 == 0 else null"') if alternate else ("", "")
    )
    stream = "stream: S\n" if streams else ""
    path.write_text(SPEC.format(mask=mask, doc=doc, past=past, stream=stream, window=window, vary=vary))
    eager = archspec.compile(path, attention="eager", seed=3)
    fused = archspec.compile(path, attention="sdpa")
    fused.load_state_dict(eager.state_dict())
    return eager, fused


def documents(kind: str) -> Tensor:
    rows = {
        "sorted": ((200, 150, 250), (100, 400, 100)),
        "small": ((7,) * 85 + (5,), (300, 20, 280)),
    }.get(kind, ((200, 400), (300, 300)))
    ids = [torch.arange(len(row)).repeat_interleave(torch.tensor(row)) for row in rows]
    found = torch.stack(ids)
    return torch.cat((found[:, 50:], found[:, :50]), 1) if kind == "one comes back" else found


def inputs(kind: str = "sorted") -> dict[str, Tensor]:
    make = torch.Generator().manual_seed(7)
    padded = torch.ones(2, LENGTH, dtype=torch.int64)
    padded[1, -60:] = 0
    x = torch.randn(2, LENGTH, 24, generator=make)
    return {"x": x, "doc": documents(kind), "attention_mask": padded}


@pytest.mark.parametrize("kind", ["sorted", "small", "one comes back"])
@pytest.mark.parametrize("mask", MASKS)
def test_both_implementations_agree(mask: str, kind: str, tmp_path: Path):
    eager, fused = pair(tmp_path, MASKS[mask])
    given = inputs(kind)
    rows = given["attention_mask"].bool() if "padding" in MASKS[mask] else torch.ones(2, LENGTH) > 0
    results = [model(**given)[rows] for model in (eager, fused)]
    torch.testing.assert_close(results[1], results[0], **CLOSE)
    weight = torch.randn(results[0].shape, generator=torch.Generator().manual_seed(8))
    for y in results:
        (y * weight).sum().backward()
    for (name, a), (_, b) in zip(eager.named_parameters(), fused.named_parameters(), strict=True):
        torch.testing.assert_close(b.grad, a.grad, atol=1e-3, rtol=1e-3, msg=name)


@torch.no_grad()
def test_decoding_gives_what_the_whole_gives(tmp_path: Path):
    _, fused = pair(tmp_path, MASKS["padded, behind"], streams=True)
    given = inputs()
    x, padded, doc = given["x"], torch.ones(2, LENGTH, dtype=torch.int64), given["doc"]
    padded[0, 300:310] = 0
    whole, cache = fused(x, padded, doc), fused.make_cache(LENGTH)
    parts = [
        fused(x[:, a:b], padded[:, :b], doc[:, :b], cache=cache)
        for a, b in ((0, 250), (250, 598), (598, 599), (599, 600))
    ]
    torch.testing.assert_close(torch.cat(parts, 1), whole, **CLOSE)


@torch.no_grad()
def test_windows_and_documents_share_a_class(tmp_path: Path):
    eager, fused = pair(tmp_path, MASKS["padded, behind"], alternate=True)
    assert type(fused.layers[0].attn) is type(fused.layers[1].attn)
    text = archspec.source(tmp_path / "packed.yaml")
    assert "windows_over(" in text
    assert "documents_over(" in text
    given = inputs()
    rows = given["attention_mask"].bool()
    torch.testing.assert_close(fused(**given)[rows], eager(**given)[rows], **CLOSE)


@torch.no_grad()
def test_documents_may_be_absent(tmp_path: Path):
    eager, fused = pair(tmp_path, MASKS["padded, behind"], optional=True)
    given = inputs()
    del given["doc"]
    rows = given["attention_mask"].bool()
    torch.testing.assert_close(fused(**given)[rows], eager(**given)[rows], **CLOSE)
    del given["attention_mask"]
    torch.testing.assert_close(fused(**given), eager(**given), **CLOSE)


@pytest.mark.parametrize("mask", ["behind", "padded, behind"])
@torch.no_grad()
def test_it_compiles_whole_and_exports(mask: str, tmp_path: Path):
    _, fused = pair(tmp_path, MASKS[mask])
    given = inputs()
    rows = given["attention_mask"].bool()
    expected = fused(**given)[rows]
    length = torch.export.Dim("length", min=2, max=4096)
    exported = torch.export.export(fused, (), given, dynamic_shapes={name: {1: length} for name in given})
    torch.testing.assert_close(exported.module()(**given)[rows], expected, **CLOSE)
    compiled = torch.compile(fused, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(**given)[rows], expected, **CLOSE)


def test_a_fixed_number_of_keys_keeps_its_mask():
    assert "documents_over" not in archspec.source("swin", attention="sdpa")


@pytest.mark.parametrize("count", [1, 4])
def test_an_account_takes_rows_to_be_so_many_documents(count: int, tmp_path: Path):
    """Attention costs a share of what one mask costs: a row of n documents has 1 / n of its pairs."""
    pair(tmp_path, MASKS["padded, behind"])
    graph = archspec.lower(tmp_path / "packed.yaml")
    question = Question({"B": 2, "S": 1024}, picked=count)
    fused = Account(graph, question).inference
    eager = Account(graph, replace(question, attention="eager")).inference
    attention = 2 * 2 * (2 * 4 * 1024 * 1024) * 2 * 6  # layers, multiply and add, pairs, two products, width
    assert eager.flops - fused.flops == attention - attention // count
    assert fused.assumed
    assert not eager.assumed
