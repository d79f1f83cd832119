"""check, show, list, schema, explain, fmt."""

import json
from pathlib import Path

import pytest

import archspec
from archspec.ir import text
from archspec.library import names
from tests.cli.runner import SPEC, cli, data, found, written


def test_check_says_what_it_proved(tmp_path: Path):
    assert (
        cli("check", "gpt2").stdout == "gpt2: 124,439,808 parameters in 148 tensors, as stated; weights: hf\n"
    )
    assert cli("check", written(tmp_path)).stdout == "tiny: 80 parameters in 3 tensors, as stated\n"


def test_check_under_a_preset_or_an_override_compares_only_what_is_stated_of_it(tmp_path: Path):
    spec = written(tmp_path)
    assert cli("check", spec, "--preset", "big").stdout == "tiny --preset big: 224 parameters in 3 tensors\n"
    assert cli("check", spec, "--set", "vocab_size=11").stdout == "tiny: 84 parameters in 3 tensors\n"


def test_check_as_data(tmp_path: Path):
    (record,) = data("check", written(tmp_path), "--set", "vocab_size=11")
    assert record == {
        "name": "tiny", "preset": None, "overrides": ["vocab_size"], "parameters": 84, "tensors": 3,
        "facts": {}, "weights": [], "graphs": {},
    }  # fmt: skip


def test_findings_stand_on_stderr_with_their_place_and_results_on_stdout(tmp_path: Path):
    wrong = written(tmp_path, SPEC.replace("op: linear", "op: linaer"), "wrong.yaml")
    result = cli("check", wrong, "gpt2", status=1)
    assert result.stdout.startswith("gpt2: 124,439,808")
    assert result.stderr.splitlines() == [
        f"{wrong}:9:14: L001 there is no op or block 'linaer'",
        "      - up: {op: linaer, out: wide}",
        "                 ^^^^^^",
        "  hint: did you mean 'linear'?",
    ]


def test_findings_of_the_outline_and_of_the_meaning_come_together(tmp_path: Path):
    wrong = SPEC.replace("op: linear", "op: linaer").replace("summary:", "sumary:", 1)
    assert [code for code, *_ in found("check", written(tmp_path, wrong))] == ["S001", "L001"]


def test_a_wrong_fact_is_found_where_it_is_stated(tmp_path: Path):
    assert found("check", written(tmp_path, SPEC.replace("params: 80", "params: 81"))) == [("E001", 11, 18)]


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        (("check", "gpt3"), ("S901", None, None)),
        (("check", "nowhere.yaml"), ("Y001", 1, 1)),
        (("check", "gpt2", "--preset", "huge"), ("S020", None, None)),
        (("check", "gpt2", "--set", "n_heads=3"), ("S021", 1, 1)),
        (("check", "gpt2", "--set", "num_heads={a: 1}"), ("S003", 1, 1)),
        (("check", "gpt2", "--set", "num_heads="), ("S003", 1, 1)),
        (("check", "gpt2", "--set", "num_heads=010"), ("Y015", 1, 1)),
        (("show", "gpt2", "--why", "h.12.attn"), ("X003", None, None)),
        (("explain", "Q000"), ("X001", None, None)),
    ],
)
def test_what_a_user_can_get_wrong_is_a_finding(words: tuple[str, ...], finding: tuple[str, int, int]):
    assert found(*words) == [finding]


@pytest.mark.parametrize(
    "words",
    [
        ("chekc", "gpt2"),
        ("check",),
        ("check", "gpt2", "--set", "num_heads"),
        ("check", "gpt2", "--format", "xml"),
        ("show", "gpt2", "--ir", "--why", "h"),
        ("build", "gpt2"),
        ("fmt",),
    ],
)
def test_a_wrong_command_line_ends_with_2(words: tuple[str, ...]):
    assert "Usage:" in cli(*words, status=2).stderr


def test_show_draws_an_outline(tmp_path: Path):
    lines = cli("show", written(tmp_path)).stdout.splitlines()
    assert lines[:2] == ["tiny: One linear layer over a table.", "80 parameters"]
    assert "embed  embedding  40  weight [vocab_size, hidden_size]" in lines
    assert "up     linear     40  weight [wide, hidden_size]  bias [wide]" in lines


def test_show_resolved_is_a_spec_of_the_same_model(tmp_path: Path):
    words = ("show", "t5", "--preset", "v1_1_small", "--set", "num_heads=hidden_size//64", "--resolved")
    resolved = written(tmp_path, cli(*words).stdout, "resolved.yaml")
    ours = archspec.load("t5", preset="v1_1_small", overrides={"num_heads": "hidden_size//64"})
    assert archspec.lower(resolved) == archspec.lower(ours)
    assert "  num_heads: 8  # hidden_size//64\n" in resolved.read_text()


def test_show_ir_reads_back():
    assert text.read(cli("show", "bert", "--ir").stdout) == archspec.lower("bert")


def test_show_why_tells_the_whole_story():
    lines = cli("show", "gpt2", "--why", "h.*.attn.qkv.weight").stdout.splitlines()
    assert lines[0] == "h.0.attn.qkv.weight: parameter"
    assert lines[1].endswith("- attn:")
    assert any(line.split() == ["hub", "transformer.h.0.attn.c_attn.weight", "(transpose)"] for line in lines)
    assert any(line.startswith("  shape") and line.endswith("= [2304, 768]") for line in lines)


def test_show_as_data():
    assert data("show", "gpt2")["parameters"] == 124_439_808
    assert data("show", "gpt2", "--why", "lm_head.weight")["facts"]["tied"] == [
        "is wte.weight, and counted there"
    ]
    assert data("show", "gpt2", "--resolved")["resolved"] == cli("show", "gpt2", "--resolved").stdout


def test_list_knows_every_spec_and_preset():
    entries = {entry["name"]: entry for entry in data("list")}
    assert tuple(entries) == names()
    counts = {each["preset"]: each["parameters"] for each in entries["gpt2"]["presets"]}
    assert counts == {None: 124_439_808, "medium": 354_823_168, "large": 774_030_080, "xl": 1_557_611_200} | {
        preset: count for preset, count in counts.items() if preset not in (None, "medium", "large", "xl")
    }
    assert "    medium" in cli("list").stdout


def test_list_ops_gives_arguments_and_defaults():
    words = {word["name"]: word for word in data("list", "--ops")}
    arguments = {each["name"]: each for each in words["attention"]["arguments"]}
    assert arguments["num_heads"] == {"name": "num_heads", "kind": "integer", "default": None}
    assert arguments["qkv"] == {"name": "qkv", "kind": "separate | fused", "default": "separate"}
    assert "    num_heads: integer\n" in cli("list", "--ops").stdout


def test_schema_is_the_schema():
    assert json.loads(cli("schema").stdout) == archspec.schema()


def test_explain_prints_one_section_or_all_codes():
    assert cli("explain", "y009").stdout.startswith("## Y009 duplicate-key\n")
    assert "Y009 duplicate-key" in cli("explain").stdout.splitlines()
    assert data("explain", "E001")["code"] == "E001"


def test_fmt_writes_the_canonical_layout(tmp_path: Path):
    good, bad = written(tmp_path), written(tmp_path, SPEC.replace("name: tiny", "name:   tiny "), "bad.yaml")
    assert cli("fmt", "--check", good, bad, status=1).stdout == f"{bad}\n"
    assert bad.read_text() != SPEC
    assert cli("fmt", good, bad).stdout == f"{bad}\n"
    assert bad.read_text() == SPEC
    assert cli("fmt", good, bad).stdout == ""


def test_fmt_goes_on_behind_a_file_that_does_not_load(tmp_path: Path):
    broken, bad = written(tmp_path, "a: [", "broken.yaml"), written(tmp_path, "a:  1\n", "bad.yaml")
    assert "Y007" in cli("fmt", broken, bad, status=1).stderr
    assert bad.read_text() == "a: 1\n"


def test_a_part_of_a_system_is_shown_and_checked_alone():
    whole = cli("check", "clip").stdout.splitlines()
    assert whole[1:] == ["  text: 63,428,096 parameters", "  image: 87,849,216 parameters"]
    assert cli("check", "clip", "--graph", "text").stdout.startswith(
        "clip --graph text: 63,428,096 parameters"
    )
    shown = cli("show", "clip", "--graph", "image").stdout
    assert "visual_projection" in shown
    assert "text_projection" not in shown
    assert found("check", "clip", "--graph", "txt") == [("S022", None, None)]
