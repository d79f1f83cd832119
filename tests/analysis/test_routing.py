"""How many rows reach the experts, and what is said where gates do not tell."""

from pathlib import Path

import pytest

from archspec.analysis.flops import Flops
from archspec.lowering.lower import lower
from archspec.resolve import load

SPEC = """\
archspec: 1
name: tiny
summary: A mixture of four experts.
inputs: {x: "float[B, S, 8]"}
model:
  - scores: {op: linear, in: x, out: 4, bias: false}
GATES
  - y: {experts: 4, in: x, weights: gates, body: [{up: {op: linear, out: 8, bias: false}}]}
outputs: {y: y}
"""
CHOSEN = '  - best, chosen: "topk(scores, 2)"\n  - put: "scatter(best, chosen, 4)"\n'
ROW = 2 * 8 * 8

# Of 6 rows: how many products of a row run, and what is said.
GATES: list[tuple[str, int, str]] = [
    (CHOSEN + '  - gates: "2 * put"', 6 * 2, ""),
    (CHOSEN + '  - gates: "where(put > 0.5, put, 0.0)"', 6 * 2, "limited room"),
    ('  - gates: "softmax(scores, axis=-1)"', 6 * 4, "every expert"),
]


@pytest.mark.parametrize(("gates", "rows", "note"), GATES)
def test_rows(gates: str, rows: int, note: str, tmp_path: Path):
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC.replace("GATES", gates), encoding="utf-8")
    found = Flops.of(lower(load(path)), {"B": 2, "S": 3})
    assert found.by_class()["experts"].full == rows * ROW
    assert [note in said for said in found.notes] == [True] * bool(note)
