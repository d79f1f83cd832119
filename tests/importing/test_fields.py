"""How fields become params, and what a configuration can get wrong, on a spec with every kind of field."""

import json
from math import inf
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.errors import ArchspecError, Diagnostic
from archspec.importing.document import Imported
from tests.cli.runner import cli, data, written

SPEC = """\
archspec: 1
name: toy
params:
  vocab_size: 10
  hidden_size: 8
  wide: 2*hidden_size
  drop: 0.1
  kind: plain
  activation: relu
  scaling: none
  factor: 1.0
  sizes: [1, 2]
presets: {big: {kind: gated}}
inputs: {ids: "int64[B, S]"}
model:
  - embed: {op: embedding, in: ids, num: vocab_size, dim: hidden_size}
  - up: {op: linear, out: wide}
  - act: {op: activation, fn: activation}
  - gate: {op: linear, out: wide, when: kind == "gated"}
  - stretch: {op: scale, by: factor, when: scaling == "linear"}
  - drop: {op: dropout, p: drop}
  - more: {op: linear, out: sum(sizes)}
outputs: {features: more}
weights:
  hf:
    class: '"ToyGated" if kind == "gated" else "ToyModel"'
    config:
      model_type: toy
      vocab_size: vocab_size
      d_model: hidden_size
      half_ff: wide // 2
      ff: wide
      drop_a: drop
      drop_b: drop
      act: '"gelu_pytorch_tanh" if activation == "gelu_tanh" else activation'
      norm: layernorm
      sizes: sizes
      rope:
        type: '"default" if scaling == "none" else scaling'
        factor: {to: factor, when: scaling != "none"}
    import:
      defaults: {ff: 4*hidden_size, half_ff: wide // 2, extra: false, nested: {deep: 1}, limits: [0.0, inf]}
      ignore: [summary]
      free: [wide]
      accept: {n_embd: d_model, rope_factor: rope.factor, rope_type: rope.type}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(tmp_path, SPEC, "toy.yaml")


def given(spec: Path, config: dict[str, Any], **more: Any) -> Imported:
    path = spec.parent / "config.json"
    path.write_text(json.dumps({"model_type": "toy", **config}, indent=1), encoding="utf-8")
    return archspec.import_config(path, base=spec, **more)


def refused(spec: Path, config: dict[str, Any]) -> list[Diagnostic]:
    with pytest.raises(ArchspecError) as error:
        given(spec, config)
    return list(error.value.diagnostics)


@pytest.mark.parametrize(
    ("config", "params"),
    [
        ({}, {"wide": 32}),
        ({"ff": None}, {"wide": 32}),
        ({"ff": 16}, {}),
        ({"ff": 16, "half_ff": 8}, {}),
        ({"ff": 64, "d_model": 16}, {"hidden_size": 16, "wide": 64}),
        ({"ff": 32, "d_model": 16}, {"hidden_size": 16}),
        ({"n_embd": 16}, {"hidden_size": 16, "wide": 64}),
        ({"ff": 16, "drop_a": 0, "drop_b": 0.0}, {"drop": 0}),
        ({"ff": 16, "act": "silu"}, {"activation": "silu"}),
        ({"ff": 16, "act": "swish"}, {"activation": "silu"}),
        ({"ff": 16, "act": "gelu_pytorch_tanh"}, {"activation": "gelu_tanh"}),
        ({"ff": 16, "act": "gelu_new"}, {"activation": "gelu_tanh"}),
        ({"ff": 16, "architectures": ["ToyGated"]}, {"kind": "gated"}),
        ({"ff": 16, "architectures": ["ToyModel"]}, {}),
        ({"ff": 16, "architectures": None}, {}),
        ({"ff": 16, "sizes": [3]}, {"sizes": [3]}),
        ({"ff": 16, "limits": [0.0, inf]}, {}),
        ({"ff": 16, "limits": [0.0, {"__float__": "Infinity"}]}, {}),
        ({"ff": 16, "rope": {"type": "linear", "factor": 4.0}}, {"scaling": "linear", "factor": 4.0}),
        ({"ff": 16, "rope": {"type": "default"}}, {}),
        ({"ff": 16, "rope": None}, {}),
        ({"ff": 16, "rope_type": "linear", "rope_factor": 2}, {"scaling": "linear", "factor": 2}),
        ({"ff": 16, "summary": {"a": [1]}, "torch_dtype": "float16", "id2label": {"0": "x"}}, {}),
        ({"ff": 16, "extra": False, "nested": {"deep": 1}}, {}),
        ({"ff": 16, "extra": None, "is_decoder": False}, {}),
    ],
)
def test_fields_become_params(spec: Path, config: dict[str, Any], params: dict[str, Any]):
    made = given(spec, config)
    assert made.params == params
    assert archspec.lower(written(spec.parent, made.text, "made.yaml")).root.outputs


@pytest.mark.parametrize(
    ("config", "findings"),
    [
        (
            {"rope": {"type": "odd"}},
            [("C004", 4, "'rope.type' is \"odd\", which no 'scaling' of 'toy' gives")],
        ),
        ({"ffn": 16}, [("C003", 3, "'ffn' is not understood: 'toy' says nothing of it")]),
        ({"rope": {"typ": "x"}}, [("C003", 4, "'rope.typ' is not understood: 'toy' says nothing of it")]),
        ({"is_decoder": True}, [("C003", 3, "'is_decoder' is not understood: 'toy' says nothing of it")]),
        ({"is_decoder": 0}, [("C003", 3, "'is_decoder' is not understood: 'toy' says nothing of it")]),
        (
            {"norm": "rmsnorm"},
            [("C004", 3, "'norm' is \"rmsnorm\", and 'toy' is the model with \"layernorm\"")],
        ),
        ({"extra": True}, [("C004", 3, "'extra' is true, and 'toy' is the model with false")]),
        ({"extra": 0}, [("C004", 3, "'extra' is 0, and 'toy' is the model with false")]),
        ({"nested": {"deep": 2}}, [("C004", 4, "'nested.deep' is 2, and 'toy' is the model with 1")]),
        (
            {"drop_a": 0.1, "drop_b": 0.2},
            [("C004", 4, "'drop_b' is 0.2, and the other fields make it 0.1")],
        ),
        (
            {"drop_a": 0.2},
            [("C004", 1, "'drop_b' is left out, and means 0.1, and the other fields make it 0.2")],
        ),
        (
            {"limits": [0.0, {"__float__": "-Infinity"}]},
            [("C004", 3, "'limits' is [0.0, -inf], and 'toy' is the model with [0.0, inf]")],
        ),
        ({"half_ff": 7}, [("C004", 3, "'half_ff' is 7, and the other fields make it 16")]),
        (
            {"architectures": ["ToyHead"]},
            [("C004", 3, "'architectures' is [\"ToyHead\"], which no 'kind' of 'toy' gives")],
        ),
        (
            {"rope": {"type": "linear"}},
            [("C004", 1, "'rope.factor' is left out, and the other fields ask for it")],
        ),
        (
            {"rope": {"type": "default", "factor": 2.0}},
            [("C004", 5, "'rope.factor' has no meaning beside the other fields")],
        ),
        (
            {"norm": "x", "what": 1, "extra": 1},
            [
                ("C004", 3, "'norm' is \"x\", and 'toy' is the model with \"layernorm\""),
                ("C003", 4, "'what' is not understood: 'toy' says nothing of it"),
                ("C004", 5, "'extra' is 1, and 'toy' is the model with false"),
            ],
        ),
    ],
)
def test_what_is_not_understood_is_found_at_its_line(
    spec: Path, config: dict[str, Any], findings: list[tuple[str, int, str]]
):
    found = refused(spec, config)
    assert [(each.code, each.span and each.span.line, each.message) for each in found] == findings


@pytest.mark.parametrize(
    ("config", "line", "why"),
    [
        ({"act": "twirl"}, 3, "'act' makes no model of 'toy': "),
        ({"ff": 16, "d_model": 0}, 4, "'d_model' makes no model of 'toy': "),
        ({"ff": 16, "d_model": "wide"}, 4, "'d_model' makes no model of 'toy': "),
        ({"ff": 16, "d_model": None}, 4, "'d_model' makes no model of 'toy': "),
    ],
)
def test_what_makes_no_model_is_found_at_the_field(spec: Path, config: dict[str, Any], line: int, why: str):
    (found,) = refused(spec, config)
    assert (found.code, found.span and found.span.line) == ("C005", line)
    assert found.message.startswith(why)
    assert "toy.yaml:" in found.message


def test_without_an_import_a_field_that_is_left_out_is_an_error(spec: Path):
    spec.write_text(SPEC.split("    import:")[0], encoding="utf-8")
    left_out = [each.message.split("'")[1] for each in refused(spec, {"ff": 16})]
    assert left_out == [
        "vocab_size",
        "d_model",
        "half_ff",
        "drop_a",
        "drop_b",
        "act",
        "norm",
        "sizes",
        "rope.type",
    ]


def test_params_that_are_not_told_apart_are_not_guessed(spec: Path):
    text = SPEC.replace('"ToyGated" if kind == "gated" else "ToyModel"', "ToyModel")
    text = text.replace("norm: layernorm", """norm: 'kind == "gated" or scaling == "linear"'""")
    text = text.replace('        type: \'"default" if scaling == "none" else scaling\'\n', "").replace(
        ", rope_type: rope.type", ""
    )
    text = text.replace('        factor: {to: factor, when: scaling != "none"}', "        factor: factor")
    spec.write_text(text, encoding="utf-8")
    assert [each.code for each in refused(spec, {"ff": 16, "norm": True})] == ["C006"]


def test_several_specs_that_fit_are_not_chosen_from(spec: Path):
    spec.write_text(SPEC + "  other: {config: {model_type: toy}, import: {}}\n", encoding="utf-8")
    assert [each.code for each in refused(spec, {})] == ["C006"]
    assert given(spec, {"ff": 16}).params == {}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("{", (1, 2), "not valid JSON: expecting value"),
        ("[1]", (1, 1), "a configuration is an object, not a list"),
        ('{"a": 1,}', (1, 9), "not valid JSON: expecting value"),
        ('{"a": 1, "a": 2}', (1, 10), "'a' stands twice"),
        ('{"a": NaN}', (1, 7), "not valid JSON: NaN is no value of JSON"),
        ('{"a": 1e999}', (1, 7), "this number is out of range"),
        ('{"a" 1}', (1, 6), "not valid JSON: ':' was expected"),
        ('{"a": 1} x', (1, 10), "there is more text behind the end"),
        ("{1: 2}", (1, 2), "a key is a text"),
        ('{\n\t"a":\n  tru}', (3, 3), "not valid JSON: expecting value"),
        ("[" * 100, (1, 34), "it nests more than 32 levels deep"),
        ("", (1, 1), "not valid JSON: expecting value"),
    ],
)
def test_what_is_no_json_is_found_where_it_stops(
    tmp_path: Path, text: str, place: tuple[int, int], message: str
):
    path = written(tmp_path, text, "config.json")
    with pytest.raises(ArchspecError) as error:
        archspec.import_config(path)
    (found,) = error.value.diagnostics
    assert (found.code, found.message) == ("C001", message)
    assert found.span is not None
    assert (found.span.line, found.span.column) == place


def test_files_that_cannot_be_read(tmp_path: Path):
    def message(path: Path) -> str:
        with pytest.raises(ArchspecError) as error:
            archspec.import_config(path)
        assert [found.code for found in error.value.diagnostics] == ["C001"]
        return str(error.value)

    assert "cannot be read" in message(tmp_path / "nothing.json")
    assert "holds no config.json" in message(tmp_path)
    (tmp_path / "config.json").write_bytes(b'{"a": "\xff"}')
    assert "not UTF-8" in message(tmp_path)
    (tmp_path / "parts" / "unet").mkdir(parents=True)
    written(tmp_path / "parts" / "unet", "{}", "config.json")
    assert "no model_index.json (import one of its parts: unet)" in message(tmp_path / "parts")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "it does not say what kind of model it is"),
        ({"model_type": "ty"}, "no spec describes the model_type 'ty'"),
        ({"_class_name": "ToyModel"}, "no spec describes the _class_name 'ToyModel'"),
    ],
)
def test_a_kind_that_nothing_describes(spec: Path, config: dict[str, Any], message: str):
    path = written(spec.parent, json.dumps(config), "config.json")
    with pytest.raises(ArchspecError) as error:
        archspec.import_config(path, base=spec)
    assert [(found.code, found.message) for found in error.value.diagnostics] == [("C002", message)]


def test_the_form_of_diffusers(spec: Path):
    text = SPEC.replace("    config:\n      model_type: toy\n", "    library: diffusers\n    config:\n")
    spec.write_text(text, encoding="utf-8")
    config = {"_class_name": "ToyGated", "_diffusers_version": "0.1", "ff": 16}
    made = archspec.import_config(written(spec.parent, json.dumps(config), "config.json"), base=spec)
    assert made.params == {"kind": "gated"}


def test_a_map_of_one_graph_gives_that_graph(spec: Path):
    text = SPEC.replace(
        "outputs: {features: more}", "outputs: {features: more, words: embed}\ngraphs: {table: [words]}"
    )
    spec.write_text(text.replace("  hf:\n", "  hf:\n    graph: table\n"), encoding="utf-8")
    made = given(spec, {"ff": 16, "vocab_size": 12})
    assert "\ngraph: table\n" in made.text
    assert archspec.check(written(spec.parent, made.text, "made.yaml")).parameters == 12 * 8


def test_the_text_says_where_params_come_from(spec: Path):
    made = given(spec, {"ff": 64, "d_model": 16, "drop_a": 0.1}, name="mine")
    assert made.text == (
        "# Left out there, so as in toy.yaml: vocab_size, drop_b, act, norm, sizes, rope.type.\n"
        "archspec: 1\nname: mine\nextends: toy.yaml\n\n"
        "params:\n  hidden_size: 16  # d_model\n  wide: 64  # ff\n"
    )


def test_a_model_is_named_after_its_folder(spec: Path):
    folder = spec.parent / "7B chat (v2)"
    folder.mkdir()
    written(folder, '{"model_type": "toy"}', "config.json")
    assert archspec.import_config(folder, base=spec).name.endswith("-7B-chat-v2")
    written(folder, '{"model_type": "toy"}', "tiny toy.json")
    assert archspec.import_config(folder / "tiny toy.json", base=spec).name == "tiny-toy"


def test_the_command(spec: Path):
    config = written(spec.parent, '{"model_type": "toy", "ff": 64}', "config.json")
    words = ("import", config, "--from", spec, "--name", "mine")
    text = cli(*words).stdout
    assert text == archspec.import_config(config, base=spec, name="mine").text
    out = spec.parent / "mine.yaml"
    assert cli(*words, "-o", out).stdout == f"{out}\n"
    assert out.read_text() == text
    record = data(*words)
    assert (record["name"], record["extends"], record["params"]) == ("mine", "toy.yaml", {"wide": 64})
    assert record["spec"] == text
    written(spec.parent, '{"model_type": "toy", "fff": 64}', "config.json")
    assert cli(*words, "-o", out, status=1).stderr.splitlines()[:3] == [
        f"{config}:1:23: C003 'fff' is not understood: 'toy' says nothing of it",
        '    {"model_type": "toy", "fff": 64}',
        "                          ^^^^^",
    ]
    assert out.read_text() == text
