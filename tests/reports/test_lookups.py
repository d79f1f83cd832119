"""The tables that inputs are looked up in."""

from pathlib import Path

import archspec
from archspec.reports.lookups import limits


def test_rows_of_tables_of_the_model_and_of_its_modules():
    assert limits(archspec.lower("gpt2")) == {"input_ids": 50257, "position_ids": 1024}
    assert limits(archspec.lower("t5")) == {"input_ids": 32128, "decoder_input_ids": 32128}
    assert limits(archspec.lower("bert")) == {"input_ids": 30522, "token_type_ids": 2}


def test_an_input_that_is_no_index_has_no_limit():
    assert limits(archspec.lower("vit")) == {}


def test_an_index_that_is_looked_up_at_each_position(tmp_path: Path):
    text = """\
archspec: 1
name: spelt
inputs: {ids: "int64[B, S]", other: "int64[B]"}
model:
  - word:
      in: ids
      recur: {h: "full([B, 4], 0.0)", last: other}
      body:
        - table: {op: embedding, num: 9, dim: 4}
        - again: {op: embedding, in: last, num: 7, dim: 4}
        - last: "last * 0"
        - h: "h + table + again"
outputs: {y: word}
"""
    (tmp_path / "spelt.yaml").write_text(text, encoding="utf-8")
    assert limits(archspec.lower(tmp_path / "spelt.yaml")) == {"ids": 9, "other": 7}


def test_rows_that_are_counted_at_run_time(tmp_path: Path):
    """An edge is two places among the nodes, whose number is a size; cutting it out loses nothing."""
    text = """\
archspec: 1
name: edges
inputs: {x: "float[N, 3]", edges: "int64[2, E]"}
outputs: {y: y}
model:
  - sent: "gather(x, edges[0], axis=0)"
  - y: "scatter(sent, expand(edges[1][:, None], [E, 3]), N, axis=0)"
"""
    (tmp_path / "edges.yaml").write_text(text, encoding="utf-8")
    graph = archspec.lower(tmp_path / "edges.yaml")
    assert limits(graph) == {}
    assert limits(graph, {"N": 5, "E": 7}) == {"edges": 5}
