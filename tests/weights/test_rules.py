from typing import Any

import pytest

from archspec.errors import Source, Span, WeightsError
from archspec.weights.form import described
from archspec.weights.rules import (
    FuseRule,
    ImportRules,
    InterleaveRule,
    ReorderRule,
    RopeRule,
    SplitRule,
    WeightRules,
    read_rules,
    span_at,
)

SOURCE = Source("a.yaml", "")


def span(line: int) -> Span:
    return Span(SOURCE, line, 3, line, 9)


def test_a_short_form_is_the_long_one():
    short = {"split": {"qkv": ["q", "k", "v"]}, "fuse": {"up": ["a", "b"]}, "reorder": {"x": [1, 0]}}
    long = {"split": {"qkv": {"into": ["q", "k", "v"], "axis": 0}}, "fuse": {"up": {"from": ["a", "b"]}}}
    assert read_rules(short) == read_rules({**long, "reorder": {"x": {"order": [1, 0]}}})


def test_rules_are_frozen():
    with pytest.raises(AttributeError, match="immutable"):
        setattr(read_rules({}), "base_prefix", "x")  # noqa: B010 - pyright knows it is read-only


@pytest.mark.parametrize(
    ("section", "message", "hint"),
    [
        ({"renam": {}}, "weights.renam is not known", "did you mean 'rename'?"),
        ({"split": {"a": {"int": ["b", "c"]}}}, "weights.split.a.int is not known", "did you mean 'into'?"),
        (
            {"fuse": {"a": {"from": ["b", "c"], "dim": 0}}},
            "weights.fuse.a.dim is not known",
            "known: from, axis",
        ),
        ({"split": {"a": ["b"]}}, "weights.split.a.into: ", None),
        ({"rope": {"q": {}}}, "weights.rope.q.head_dim: it is missing", None),
        ({"rope": {"q": {"head_dim": 0}}}, "weights.rope.q.head_dim: ", None),
        ({"rope": {"q": {"head_dim": True}}}, "weights.rope.q.head_dim: ", None),
        ({"rename": {"a": 1}}, "weights.rename.a: ", None),
        ({"rename": ["a"]}, "weights.rename: ", None),
        ({"transpose": "a"}, "weights.transpose: ", None),
        ({"fuse": {"a": {"from": ["b", "c"], "axis": -1}}}, "weights.fuse.a.axis: ", None),
    ],
)
def test_mistakes_of_form(section: dict[str, Any], message: str, hint: str | None):
    with pytest.raises(WeightsError) as error:
        read_rules(section)
    codes = {found.code for found in error.value.diagnostics}
    found = next(found for found in error.value.diagnostics if found.message.startswith(message))
    assert codes == {"W001"}
    assert found.hint == hint


def test_a_mistake_is_located_as_deep_as_there_are_places():
    spans = {"": span(1), "rope": span(2), "rope.attn.q": span(3)}
    with pytest.raises(WeightsError) as error:
        read_rules({"rope": {"attn.q": {"head_dim": "x"}}, "renam": {}}, spans)
    assert {found.span.line for found in error.value.diagnostics if found.span} == {3, 1}


def test_a_place_is_the_innermost_known():
    spans = {"rename": span(2)}
    assert span_at(spans, "rename", "h.*") == span(2)
    assert span_at(spans, "segments", "q") is None


def test_every_key_is_described():
    kinds = (WeightRules, ImportRules, SplitRule, FuseRule, RopeRule, ReorderRule, InterleaveRule)
    assert [(kind, key) for kind in kinds for key, text in described(kind).items() if not text] == []


def test_every_mistake_is_found_at_once():
    section = {"rename": {"a": 1, "b": "c", "d": 2}, "rope": {"q": {}}, "ignore": ["a", 3], "x": 1}
    with pytest.raises(WeightsError) as error:
        read_rules(section)
    assert [str(found) for found in error.value.diagnostics] == [
        "W001 weights.rename.a: expected `str`, got `int`",
        "W001 weights.rename.d: expected `str`, got `int`",
        "W001 weights.rope.q.head_dim: it is missing",
        "W001 weights.ignore: expected `str`, got `int` at [1]",
        f"W001 weights.x is not known (known: {', '.join(described(WeightRules))})",
    ]
