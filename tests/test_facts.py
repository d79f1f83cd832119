"""What `check` proves beyond lowering: stated facts, and weight maps."""

from pathlib import Path

import pytest

from archspec import api
from archspec.errors import SpecError
from tests.cli.runner import SPEC, written

WEIGHTS = """
weights:
  hf:
    rename: {embed: table, up: head}
"""


def findings(path: Path, preset: str | None = None) -> list[tuple[str, int, int]]:
    with pytest.raises(SpecError) as error:
        api.check(api.load(path, preset=preset))
    return [
        (found.code, found.span.line, found.span.column) for found in error.value.diagnostics if found.span
    ]


@pytest.mark.parametrize(
    ("facts", "preset", "expected"),
    [
        ("params: 81", None, [("E001", 11, 18)]),
        ("presets: {big: {params: 1}}", "big", [("E001", 11, 34)]),
        ("presets: {bigg: {params: 1}}", None, [("E002", 11, 20)]),
        ("presets: {big: {flop: 1}}", None, [("E002", 11, 26)]),
        ("params: 1, presets: {big: {flop: 1}}", None, [("E001", 11, 18), ("E002", 11, 37)]),
        ("params: {max: 79}", None, [("E001", 11, 24)]),
        ("active: 81", None, [("E001", 11, 18)]),
        ("flops: {B: 2, S: 3, value: 385}", None, [("E001", 11, 37)]),
        ("flops: {B: 2, S: 3, max: 383}", None, [("E001", 11, 35)]),
        ("flops: {B: 2, max: 383}", None, [("A001", 11, 17)]),
        ("flops: 384", None, [("A001", 11, 17)]),
        ("flops: {B: 2, S: 3, T: 4, max: 384}", None, [("A002", 11, 17)]),
        ("flops: {B: 2, S: 3}", None, [("E002", 11, 17)]),
        ("params: {B: 2, max: 80}", None, [("E002", 11, 18)]),
    ],
)
def test_a_fact_that_does_not_hold_is_found(
    tmp_path: Path, facts: str, preset: str | None, expected: list[tuple[str, int, int]]
):
    assert findings(written(tmp_path, SPEC.replace("params: 80", facts)), preset) == expected


def test_facts_of_another_preset_are_not_compared(tmp_path: Path):
    path = written(tmp_path, SPEC.replace("params: 80", "presets: {big: {params: 1}}"))
    assert dict(api.check(path).facts) == {}


@pytest.mark.parametrize(
    ("facts", "proven"),
    [
        ("params: {value: 80, max: 90}", {"params": 80}),
        ("active: 80", {"active": 80}),
        ("flops: {B: 2, S: 3, value: 384}", {"flops": 384}),
        ("presets: {big: {flops: {B: 1, S: 1, max: 1}}}", {}),
    ],
)
def test_facts_that_hold(tmp_path: Path, facts: str, proven: dict[str, int]):
    """One linear layer of 4 by 8, at 6 tokens: 2 * 32 * 6 FLOPs."""
    assert dict(api.check(written(tmp_path, SPEC.replace("params: 80", facts))).facts) == proven


def test_facts_of_a_preset_are_proven(tmp_path: Path):
    facts = "presets: {big: {flops: {B: 1, S: 1, max: 255}, params: {max: 10000}}}"
    path = written(tmp_path, SPEC.replace("params: 80", facts))
    assert findings(path, "big") == [("E001", 11, 51)]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("embed: table", "embde: table", "W002"),
        ("up: head", "up: table", "W003"),
        ("up: head}", "up: head}\n    renam: {}", "W001"),
        ("up: head", "up: {to: head, when: 2*width}", "N001"),
    ],
)
def test_a_weight_map_is_proved(tmp_path: Path, old: str, new: str, code: str):
    assert dict(api.check(written(tmp_path, SPEC + WEIGHTS)).facts) == {"params": 80}
    assert code in [found for found, *_ in findings(written(tmp_path, (SPEC + WEIGHTS).replace(old, new)))]


def test_a_mistake_in_one_late_layer_is_found(tmp_path: Path):
    """The proof takes the first layers for all of them, but every one that a rule names."""
    spec = api.load("gpt2", overrides={"num_layers": 40})
    text = api.show(spec, "resolved")
    assert "      h.*: transformer.h.*\n" in text
    late = text.replace(
        "      h.*.attn.qkv:", "      h.38.mlp.up: transformer.h.3.mlp.c_fc\n      h.*.attn.qkv:"
    )
    with pytest.raises(SpecError):
        api.check(written(tmp_path, late))
