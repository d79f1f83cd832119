"""What a file says of a param that the spec computes from others, and of one field in several spellings."""

import json
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.errors import ArchspecError
from tests.cli.runner import written

SPEC = """\
archspec: 1
name: toy
params:
  num_heads: 2
  head_dim: 4
  hidden_size: num_heads*head_dim
  half: hidden_size // 2
  wide: 4*hidden_size
inputs: {ids: "int64[B, S]"}
model:
  - embed: {op: embedding, in: ids, num: 10, dim: hidden_size}
  - attn: {op: attention, num_heads: num_heads, head_dim: head_dim}
  - mlp: {op: mlp, intermediate_size: wide, activation: relu}
  - narrow: {op: linear, out: half}
outputs: {features: narrow}
weights:
  hf:
    class: ToyModel
    config: FIELDS
    import:
      free: [wide]
      accept: {n_head: heads, num_heads: heads}
      instead: {n_ff: ff}
"""
WIDTH = "{model_type: toy, heads: num_heads, width: hidden_size, ff: wide}"
HALF = "{model_type: toy, heads: num_heads, size: head_dim, low: half}"
ALL = "{model_type: toy, heads: num_heads, size: head_dim, width: hidden_size, ff: wide}"
FREE = "list it under 'free' in the 'import' of the weight map"


def given(folder: Path, fields: str, config: dict[str, Any]) -> dict[str, Any]:
    base = written(folder, SPEC.replace("FIELDS", fields), "toy.yaml")
    file = written(folder, json.dumps({"model_type": "toy", **config}), "config.json")
    return dict(archspec.import_config(file, base=base, name="mine").params)


@pytest.mark.parametrize(
    ("fields", "config", "params"),
    [
        (WIDTH, {"heads": 2, "width": 16, "ff": 64}, {"head_dim": 8}),
        (WIDTH, {"heads": 4, "width": 16, "ff": 64}, {"num_heads": 4}),
        (WIDTH, {"heads": 2, "width": 8, "ff": 7}, {"wide": 7}),
        (WIDTH, {"heads": 2, "width": 16}, {"head_dim": 8, "wide": 32}),
        (HALF, {"heads": 4, "size": 6, "low": 12}, {"num_heads": 4, "head_dim": 6}),
        (ALL, {"heads": 4, "size": 6, "width": 24, "ff": 1}, {"num_heads": 4, "head_dim": 6, "wide": 1}),
        (ALL, {"n_head": 4, "heads": 4, "width": 16, "n_ff": 3, "ff": 1}, {"num_heads": 4, "wide": 3}),
        (ALL, {"n_head": None, "heads": 4, "width": 16, "ff": 64}, {"num_heads": 4}),
    ],
)
def test_what_a_param_is_derived_from_is_found(
    tmp_path: Path, fields: str, config: dict[str, Any], params: dict[str, Any]
):
    assert given(tmp_path, fields, config) == params


@pytest.mark.parametrize(
    ("fields", "config", "message", "hint"),
    [
        (
            ALL,
            {"heads": 2, "size": 6, "width": 8},
            "'width' does not go with the other fields: 'hidden_size' is 8, and 'num_heads * head_dim' is 12",
            f"if files may set 'hidden_size' by itself, {FREE}",
        ),
        (
            HALF,
            {"heads": 2, "size": 6, "low": 5},
            "'low' does not go with the other fields: 'hidden_size' is 10, and 'num_heads * head_dim' is 12",
            f"if files may set 'hidden_size' by itself, {FREE}",
        ),
        (
            WIDTH,
            {"heads": 2, "width": "much"},
            "'width' does not go with the other fields: "
            "no 'head_dim' of 'toy' makes 'hidden_size' what 'num_heads * head_dim' is",
            f"if files may set 'hidden_size' by itself, {FREE}",
        ),
        (
            ALL,
            {"n_head": 2, "heads": 4},
            "'heads' is 4, and the other fields make it 2",
            None,
        ),
    ],
)
def test_what_cannot_be_is_refused_at_a_field(
    tmp_path: Path, fields: str, config: dict[str, Any], message: str, hint: str | None
):
    with pytest.raises(ArchspecError) as error:
        given(tmp_path, fields, config)
    found = error.value.diagnostics[0]
    assert (found.code, found.message, found.hint) == ("C004", message, hint)
