"""attention=flex gives what eager gives: masks as functions of a pair, score rules, caps, biases, sinks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim, export
from torch.nn.attention.flex_attention import flex_attention

import archspec
from archspec.backends.torch.emit import emit
from archspec.errors import UnsupportedError
from archspec.reports.account import Account
from archspec.reports.question import Question

SPEC = """archspec: 1
name: flexible
params: {{size: 24, reach: 7, p: 0.0}}
{stream}inputs:
  x: "[B, S, size]"
  attention_mask: {{type: "int64[B, {past}S]", optional: true}}
  marked: "bool[B, {past}S]"
  doc: "int64[B, {past}S]"
  table: "[4, 9]"
  wide: "int64[4]"
  bias: "[4, S, {past}S]"
model:
  - attn: {{op: attention, in: x, num_heads: 4, num_kv_heads: 2, mask: "{mask}", init: normal(0.2){more}}}
outputs: {{y: attn}}
"""
LENGTH = 37
CLOSE: Any = {"atol": 2e-5, "rtol": 2e-5}  # fp32, results around 2
AHEAD = {
    "around": ("near(reach) and padding(attention_mask)", ""),
    "marked": ("(near(reach) or marked[b, k]) and padding(attention_mask)", ""),
    "negated": ("(not (k == 1) or q == 1) and (marked[b, k] or q == k)", ""),
    "chunks": ("q // reach == k // reach and padding(attention_mask)", ""),
    "prefix": ("k <= q or k < 5", ""),
    "documents": ("doc[b, q] == doc[b, k] and padding(attention_mask)", ""),
    "padding alone": ("padding(attention_mask)", ""),
}
BEHIND = {
    "causal": ("causal", ""),
    "window": ("causal and window(reach) and padding(attention_mask)", ""),
    "documents behind": ("causal and doc[b, q] == doc[b, k]", ""),
    "dilated": ("(q - k) % 2 == 0 and k <= q", ""),
    "per head": ("causal and q - k < wide[h]", ""),
    "capped": ("causal and padding(attention_mask)", ", softcap: 1.5"),
    "rule": ("causal", ', score_bias: "table[h, min(max(q - k, 0), 8)] + wide[h] * (k - q) / 10"'),
    "tensor, capped": ("causal", ", score_bias: bias, softcap: 2.0"),
    "sinks": ("causal and padding(attention_mask)", ', sinks: "table[:, 0]"'),
    "dropout": ("causal", ", dropout: 0.25"),
}


def spec(folder: Path, mask: str, more: str, *, streams: bool) -> Path:
    path = folder / "flexible.yaml"
    stream, past = ("stream: S\n", "past + ") if streams else ("", "")
    path.write_text(SPEC.format(mask=mask, more=more, stream=stream, past=past))
    return path


def pair(path: Path) -> tuple[Any, Any]:
    """The model under both; FlexAttention is not compiled."""
    eager = archspec.compile(path, attention="eager", seed=3).eval()
    flexible = archspec.compile(path, attention="flex").eval()
    flexible.load_state_dict(eager.state_dict())
    type(flexible).forward.__globals__["flex"] = flex_attention
    return eager, flexible


def inputs() -> dict[str, Tensor]:
    make = torch.Generator().manual_seed(5)
    marked = torch.zeros(2, LENGTH, dtype=torch.bool)
    marked[0, :2], marked[1, LENGTH // 2] = True, True
    return {
        "x": torch.randn(2, LENGTH, 24, generator=make),
        "marked": marked,
        "doc": torch.arange(LENGTH) // torch.tensor([[5], [11]]),
        "table": torch.randn(4, 9, generator=make),
        "wide": torch.tensor([3, 5, 9, 40]),
        "bias": torch.randn(4, LENGTH, LENGTH, generator=make),
    }


def padding() -> Tensor:
    given = torch.ones(2, LENGTH, dtype=torch.int64)
    given[1, -4:] = 0
    return given


def some(given: dict[str, Tensor], low: int, high: int) -> dict[str, Tensor]:
    """What a step from token `low` to `high` is given."""
    cut = {name: x[:, :high] for name, x in given.items() if name in ("marked", "doc", "attention_mask")}
    return {**given, **cut, "x": given["x"][:, low:high], "bias": given["bias"][:, low:high, :high]}


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@pytest.mark.parametrize("case", [*AHEAD, *BEHIND])
@torch.no_grad()
def test_it_gives_what_eager_gives(case: str, tmp_path: Path):
    streams = case in BEHIND
    eager, flexible = pair(spec(tmp_path, *(AHEAD | BEHIND)[case], streams=streams))
    for padded in (None, padding()):
        given = inputs() | ({} if padded is None else {"attention_mask": padded})
        rows = (padding() if padded is not None else torch.ones(2, LENGTH)).bool()
        torch.testing.assert_close(flexible(**given)[rows], eager(**given)[rows], **CLOSE)
        caches = [model.make_cache(LENGTH) for model in (eager, flexible)] if streams else []
        for low, high in ((0, 20), (20, 32), (32, 33)) if streams else ():
            step = some(given, low, high)
            a, b = (model(**step, cache=c) for model, c in zip((eager, flexible), caches, strict=True))
            torch.testing.assert_close(b, a, **CLOSE)


def test_the_source_calls_it_compiled_and_builds_masks_outside_of_layers():
    text = archspec.source("mistral", attention="flex")
    assert "\nflex = torch.compile(flex_attention)" in text
    loop = text.index("layer in enumerate(self.")
    built = [found.start() for found in re.finditer(r"= causal_\w*mask\(", text)]
    assert built, "no call of the mask's function"
    assert all(place < loop for place in built)
    assert "mask: BlockMask" in text
    assert "F.scaled_dot_product_attention" not in text


def exported(case: str, folder: Path, lengths: Any) -> tuple[Any, Any, dict[str, Tensor]]:
    """The model as a graph, which holds FlexAttention as one operation; eager, and what both are given."""
    path = spec(folder, *BEHIND[case], streams=False)
    eager = archspec.compile(path, attention="eager", seed=3).eval()
    flexible = archspec.compile(path, attention="flex").eval()
    flexible.load_state_dict(eager.state_dict())
    given = inputs() | {"attention_mask": padding()}
    program = export(flexible, (), given, dynamic_shapes=lengths and dict.fromkeys(given) | lengths)
    assert [node for node in program.graph.nodes if str(node.target) == "flex_attention"]
    return program.module(), eager, given


@pytest.mark.parametrize("case", ["window", "rule", "sinks"])
@torch.no_grad()
def test_it_is_exported_for_any_length(case: str, tmp_path: Path):
    """Uncompiled: what is compiled within a graph is traced as it stands. The first loads a tracer (5 s)."""
    size = Dim("S", min=2, max=64)
    axes: Any = {name: {1: size} for name in ("x", "attention_mask", "marked", "doc")}
    graph, eager, given = exported(case, tmp_path, axes | {"bias": {1: size, 2: size}})
    for rows in (given, some(given, 0, 23)):
        torch.testing.assert_close(graph(**rows), eager(**rows), **CLOSE)


@torch.no_grad()
def test_with_a_bias_tensor_it_is_exported_for_one_length(tmp_path: Path):
    """torch 2.13 cannot trace an index into a captured tensor with two axes of no fixed length."""
    graph, eager, given = exported("tensor, capped", tmp_path, None)
    torch.testing.assert_close(graph(**given), eager(**given), **CLOSE)


def test_weights_are_not_dropped_and_that_is_said(tmp_path: Path):
    _, flexible = pair(spec(tmp_path, *BEHIND["dropout"], streams=True))
    with pytest.raises(NotImplementedError, match="set attention dropout to 0"):
        flexible.train()(**inputs())


def test_a_term_that_cannot_be_written_is_refused(tmp_path: Path):
    path = spec(tmp_path, "k <= q + h", "", streams=False)
    with pytest.raises(UnsupportedError, match="U003"):
        archspec.source(path, attention="flex")


def test_what_it_costs_is_not_made_up():
    account = Account(archspec.lower("gpt2"), Question({"B": 1, "S": 128}, attention="flex"))
    with pytest.raises(UnsupportedError, match="U002"):
        _ = account.subject


def test_all_library_specs_are_written():
    for name in ("bloom", "t5", "gpt_oss", "swin", "longformer", "deberta_v3", "gemma2"):
        compile(emit(archspec.lower(name), attention="flex"), name, "exec")


@pytest.mark.slow  # 10 to 50 s: a compiler of C++ runs
@torch.no_grad()
def test_compiled_it_gives_the_same(tmp_path: Path):
    mask, more = BEHIND["window"][0], BEHIND["rule"][1] + ", softcap: 2.0"
    path = spec(tmp_path, mask, more, streams=True)
    eager = archspec.compile(path, attention="eager", seed=3).eval()
    flexible = archspec.compile(path, attention="flex").eval()
    flexible.load_state_dict(eager.state_dict())
    given, rows = inputs() | {"attention_mask": padding()}, padding().bool()
    torch.testing.assert_close(flexible(**given)[rows], eager(**given)[rows], **CLOSE)
