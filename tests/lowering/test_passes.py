"""Passes over a lowered graph: what changes nothing is gone, what decoding would compute anew is held."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archspec import api
from archspec.dims import num as n
from archspec.dims.expr import write
from archspec.dims.parse import parse
from archspec.ir.graph import Apply, Graph, walk
from archspec.ir.ops.attention import Attention
from archspec.ir.verify import verify
from archspec.lowering.passes.fold import reduced

HEAD = 'archspec: 1\nname: case\ninputs: {x: "[B, S, 4]"}\n'


def lowered(folder: Path, text: str) -> Graph:
    path = folder / "case.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    graph = api.lower(api.load(path))
    verify(graph)
    return graph


def ops(graph: Graph) -> list[str]:
    return [node.op.name for node in _applied(graph)]


def _applied(graph: Graph) -> Iterator[Apply]:
    for _, region, _ in walk(graph.root):
        yield from (node for node in region.nodes if isinstance(node, Apply))


@pytest.mark.parametrize(
    "same", ["roll(x, 0, 1)", "x + 0", "0 + x", "x - 0", "x * 1", "1 * x", "x / 1", "x ** 1", "x * 1.0 + 0.0"]
)
def test_what_changes_nothing_is_left_out(same: str, tmp_path: Path):
    graph = lowered(tmp_path, f'model: [{{same: "{same}"}}, {{y: "exp(same)"}}]\noutputs: {{y: y}}')
    assert ops(graph) == ["map"]


@pytest.mark.parametrize(
    "other", ["roll(x, 1, 1)", "0 - x", "1 / x", "x * 0", "x + 1", "x * scale", "cast(iota(4), float) + 0"]
)
def test_what_changes_something_stays(other: str, tmp_path: Path):
    text = f'params: {{scale: 1}}\nmodel: [{{other: "{other}"}}, {{y: "exp(other)"}}]\noutputs: {{y: y}}'
    assert len(ops(lowered(tmp_path, text))) > 1


def test_integers_that_become_floats_stay(tmp_path: Path):
    text = 'model: [{n: "iota(4) * 1.0"}, {y: "x + n"}]\noutputs: {y: y}'
    assert "scalar" in ops(lowered(tmp_path, text))


def test_what_has_no_result_stays(tmp_path: Path):
    text = 'stream: S\nmodel: [{y: "shift(x + 0)"}]\noutputs: {y: y}'
    assert "keep" in ops(lowered(tmp_path, text))


def test_each_layer_is_judged_by_itself(tmp_path: Path):
    """The first layer neither rolls nor reads what only the mask of the others does."""
    text = """
blocks:
  parts: {body: [{part: "cast(iota(3) > 1, int64)"}, {all: "expand(part[None], [2, 3])"}]}
model:
  - start: x
  - layers:
      repeat: 2
      body:
        - part: {branch: [{region: parts}]}
        - moved: "roll(_, i, 1)"
        - attn: {op: attention, num_heads: 2, mask: "i == 0 or part[b, q] == part[b, k]"}
outputs: {y: layers}
"""
    text = text.replace("[B, S, 4]", "[2, 3, 4]")
    first, second = (layer for path, layer, _ in walk(lowered(tmp_path, text).root) if path == "layers.*")
    assert [len(first.nodes), len(second.nodes)] == [1, 3]
    masks = [node.op.mask for node in _applied(lowered(tmp_path, text)) if isinstance(node.op, Attention)]
    assert masks[0] is None
    assert masks[1] is not None
    assert write(masks[1]) == "part[b, q] == part[b, k]"


@pytest.mark.parametrize(
    ("mask", "left"),
    [
        ("n == 0 or k <= q", "true"),
        ("n > 0 or k <= q", "k <= q"),
        ("n == 0 and k <= q", "k <= q"),
        ("k <= q and (n > 0 and t[b, k])", "false"),
        ("not (n > 0) and k <= q", "k <= q"),
        ("q - k < n", "q - k < n"),
        ("not (k <= q and n == 0)", "not k <= q"),
        ("m == 0 and k <= q", "m == 0 and k <= q"),
    ],
)
def test_terms_of_a_mask_that_numbers_decide(mask: str, left: str):
    assert reduced(parse(mask), {"n": n.num(0), "m": n.symbol("S")}) == parse(left)


def test_a_parameter_is_not_held_while_decoding(tmp_path: Path):
    """Nothing is computed, so nothing is kept: of a parameter, or of a module that only hands one out."""
    text = """
stream: S
model:
  - bare: {op: param, shape: [4]}
  - inside: [{table: {op: param, shape: [4]}}]
  - computed: {branch: [{table: {op: param, shape: [1, 4]}}, {fc: {op: linear, out: 4}}]}
  - y: "x * bare + inside + computed"
outputs: {y: y}
"""
    graph = lowered(tmp_path, text)
    assert [state.types[0].shape for state in graph.root.states] == [(n.num(1), n.num(4))]
