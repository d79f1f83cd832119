from typing import Any

import jsonschema
import pytest

from archspec.errors import Source, Span, WeightsError
from archspec.weights.rules import WeightRules, read_rules, span_at

SOURCE = Source("a.yaml", "")


def span(line: int) -> Span:
    return Span(SOURCE, line, 3, line, 9)


def test_a_short_form_is_the_long_one():
    short = {"split": {"qkv": ["q", "k", "v"]}, "fuse": {"up": ["a", "b"]}, "reorder": {"x": [1, 0]}}
    long = {"split": {"qkv": {"into": ["q", "k", "v"], "axis": 0}}, "fuse": {"up": {"from": ["a", "b"]}}}
    assert read_rules(short) == read_rules({**long, "reorder": {"x": {"order": [1, 0]}}})


def test_rules_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        read_rules({}).base_prefix = "x"


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
        ({"rope": {"q": {}}}, "weights.rope.q.head_dim: Field required", None),
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


def test_every_field_is_described():
    def bare(model: dict[str, Any]) -> list[str]:
        return [name for name, field in model.get("properties", {}).items() if "description" not in field]

    schema = WeightRules.model_json_schema()
    models = {"WeightRules": schema, **schema["$defs"]}
    assert {name: bare(model) for name, model in models.items() if bare(model)} == {}


@pytest.mark.parametrize(
    ("section", "sound"),
    [
        ({"split": {"qkv": ["q", "k"]}}, True),
        ({"split": {"qkv": {"into": ["q", "k"], "axis": 1}}}, True),
        ({"fuse": {"qkv": ["q", "k"]}, "class": "X"}, True),
        ({"split": {"qkv": ["q"]}}, False),
        ({"split": {"qkv": {"int": ["q", "k"]}}}, False),
        ({"class_": "X"}, False),
    ],
)
def test_the_schema_knows_both_forms(section: dict[str, Any], sound: bool):
    validator = jsonschema.Draft202012Validator(WeightRules.model_json_schema())
    assert validator.is_valid(section) is sound
