"""What two specs mean differently: nothing of the same, everything of others, in words of the spec."""

from pathlib import Path

import pytest

import archspec
from archspec.library import names
from archspec.views.difference import Difference
from tests.cli.runner import SPEC, cli, data, written

DEEP = """\
archspec: 1
name: deep
params: {hidden_size: 8, num_layers: 3, num_heads: 2}
defaults: {layernorm: {eps: 1e-5}}
inputs: {x: "[B, S, hidden_size]", mask: {type: "int64[B, S]", optional: true}}
blocks:
  layer:
    in: {x: "[B, S, hidden_size]", mask: "int64[B, S]"}
    body:
      - residual:
          - norm: layernorm
          - attn: {op: attention, num_heads: num_heads, mask: padding(mask)}
      - residual: [{mlp: {op: mlp, intermediate_size: 16}}, {dropout: {p: 0.1}}]
model:
  - layers: {repeat: num_layers, in: x, block: layer, mask: mask}
  - head: {op: linear, out: 5}
outputs: {y: head}
losses: {lm: {op: mse, input: y, target: y}}
"""


def different(folder: Path, *edits: tuple[str, str]) -> Difference:
    """What edits of the text change."""
    text = DEEP
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return archspec.diff(written(folder, DEEP, "deep.yaml"), written(folder, text, "other.yaml"))


def lines(found: Difference, title: str) -> list[str]:
    """The lines of one section of the text."""
    sections = {part.splitlines()[0]: part.splitlines()[1:] for part in str(found).split("\n\n")}
    return sections[title]


@pytest.mark.parametrize("name", names())
def test_a_spec_is_not_different_from_itself(name: str):
    found = archspec.diff(name, name)
    assert not found
    assert str(found) == ""


@pytest.mark.parametrize(
    "edits",
    [
        (("name: deep", "name: other"),),
        (("  layer:\n", "  layer:\n    summary: One layer.\n"),),
        (("{p: 0.1}", "{p: 1e-1}"),),
        (("params: {hidden_size: 8, num_layers: 3", "params: {num_layers: 3, hidden_size: 8"),),
    ],
)
def test_another_writing_of_the_same_is_no_difference(edits: tuple[tuple[str, str], ...], tmp_path: Path):
    assert str(different(tmp_path, *edits)) == ""


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        (("mask: padding(mask)}", "mask: causal and padding(mask)}"), [
            "  ~ layers.*.attn  attention", "      mask: padding(mask) → causal and padding(mask)"]),
        (("norm: layernorm", "norm: rmsnorm"), [
            "  ~ layers.*.norm  layernorm → rmsnorm", "      eps: 1e-5 → nothing",
            "      bias: [hidden_size] → nothing"]),
        (("{layernorm: {eps: 1e-5}}", "{layernorm: {eps: 1e-3}}"), [
            "  ~ layers.*.norm  layernorm", "      eps: 1e-5 → 1e-3"]),
        (("{repeat: num_layers", "{repeat: 2*num_layers"), [
            "  ~ layers.*  layer", "      layers: num_layers = 3 → 2 * num_layers = 6"]),
        (("  - head:", "  - silu\n  - head:"), [
            "  ~ the model", "      - head(layers)", "      + map(layers) {fn = silu}", "      + head(map)"]),
        (("          - norm: layernorm\n", ""), [
            "  ~ layers.*  layer", "      - norm(x)", "      - attn(norm, mask)", "      + attn(x, mask)",
            "  - layers.*.norm  layernorm  48"]),
        (("{p: 0.1}", "{p: 0.2}"), [
            "  ~ layers.*  layer", "      - dropout(mlp) {p = 0.1}", "      + dropout(mlp) {p = 0.2}"]),
        (("intermediate_size: 16", "intermediate_size: 16, gated: true"), [
            "  ~ layers.*.mlp  mlp", "      gated: nothing → true", "  + layers.*.mlp.gate  linear  432"]),
    ],
)  # fmt: skip
def test_modules_are_compared_in_words_of_the_spec(edit: tuple[str, str], wanted: list[str], tmp_path: Path):
    assert lines(different(tmp_path, edit), "modules") == wanted


def test_params_and_sizes_go_with_them(tmp_path: Path):
    found = different(tmp_path, ("num_layers: 3", "num_layers: 4, unused: 1"), ("out: 5", "out: num_heads"))
    assert lines(found, "params") == ["  ~  num_layers  3 → 4", "  +  unused      1"]
    assert lines(found, "sizes")[-1].split() == ["head", "linear", "45", "→", "18", "(-27)"]
    assert str(found).splitlines()[1].startswith("parameters  ")


def test_what_goes_in_and_out(tmp_path: Path):
    found = different(
        tmp_path, (", optional: true", ""), ("{y: head}", "{y: head, z: layers}"),
        ("losses: {lm: {op: mse,", "losses: {lm: {op: mae,"),
    )  # fmt: skip
    assert lines(found, "inputs") == ["  ~  mask  int64[B, S] (optional) → int64[B, S]"]
    assert lines(found, "outputs") == ["  +  z  float[B, S, hidden_size]"]
    assert len(lines(found, "losses")) == 1


def test_what_no_section_tells_is_shown_as_the_graph(tmp_path: Path):
    text = SPEC.replace("expect: {params: 80}\n", "stream: S\n")
    found = archspec.diff(
        written(tmp_path, SPEC.replace("expect: {params: 80}\n", "")), written(tmp_path, text, "b.yaml")
    )
    assert found
    assert lines(found, "graph") == ["  +stream S"]


def test_the_parameters_of_all_modules_add_up():
    found = archspec.diff("gpt2", "bert")
    assert found.parameters == (124_439_808, 109_514_298)
    alone = [module for module in found.modules if module.kind != "changed"]
    assert sum(after - before for before, after in (module.parameters for module in alone)) == (
        109_514_298 - 124_439_808
    )


def test_another_axis_is_a_difference(tmp_path: Path):
    text = """\
archspec: 1
name: swept
inputs: {x: "[B, 3, 3, 2]"}
model: [{cell: {in: x, recur: {h: "full([B, 3, 2], 0.0)"}, axis: 1, body: [{h: "h * _"}]}}]
outputs: {y: cell}
"""
    other = text.replace("axis: 1", "axis: 2")
    found = archspec.diff(written(tmp_path, text, "a.yaml"), written(tmp_path, other, "b.yaml"))
    assert "axis: 1 → 2" in str(found)
    assert "layers: 3 along axis 1 → 3 along axis 2" in str(found)


def test_the_command(tmp_path: Path):
    assert cli("diff", "gpt2", "gpt2").stdout == ""
    assert cli("diff", "gpt2", "gpt2", "--exit-code").stdout == ""
    text = cli("diff", "gpt2", "gpt2:medium").stdout
    assert text.startswith("gpt2 → gpt2:medium\nparameters  124,439,808 → 354,823,168  (+230,383,360)\n")
    assert cli("diff", "gpt2:medium", "gpt2", "--exit-code", status=1).stdout.startswith("gpt2:medium → gpt2")
    record = data("diff", "gpt2", "gpt2:medium")
    assert {"name": "hidden_size", "before": "768", "after": "1024"} in record["params"]
    assert "S020" in cli("diff", "gpt2", "gpt2:huge", status=1).stderr
    spec = written(tmp_path)
    assert cli("diff", spec, f"{spec}:big").stdout.startswith("tiny → tiny:big\n")
    assert cli("diff", spec, written(tmp_path, SPEC, "a:big.yaml")).stdout == ""
