"""Nodes as YAML: whatever loads is written so that it loads to the same values, in canonical layout."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec import library
from archspec.errors import Source, Span
from archspec.spec.fmt import format_text
from archspec.spec.node import Mapping, Node, Scalar, Sequence, plain
from archspec.spec.write import write
from archspec.spec.yaml import load_file, load_text

HERE = Span(Source("test", ""), 1, 1, 1, 1)
LETTERS = st.characters(
    codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff"
)
TEXTS = st.text(LETTERS)
TRICKY = st.sampled_from(
    [
        *(
            "",
            " a",
            "a ",
            "a: b",
            "a:",
            ": a",
            "a #b",
            "#a",
            "- a",
            "-",
            "---",
            "...",
            "[a, b]",
            "{a}",
            "*a",
            "&a",
            "!a",
        ),
        *(
            "no",
            "true",
            "null",
            "~",
            "010",
            "1e3",
            "0x1f",
            "a, b",
            "a\nb",
            "'a'",
            '"a"',
            "\\n",
            "@a",
            "`a",
            "%a",
            "?",
            "? a",
        ),
        *("|", ">", ".inf", "<<", "int64[B, S]", "h.*.attn", 'a if b == "c" else d'),
    ]
)
WORDS = TEXTS | TRICKY


def scalar(value: Any) -> Scalar:
    return Scalar(value, value if isinstance(value, str) else json.dumps(value), HERE)


def node(value: Any) -> Node:
    if isinstance(value, dict):
        return Mapping(tuple((scalar(key), node(inner)) for key, inner in value.items()), HERE)
    if isinstance(value, list):
        return Sequence(tuple(map(node, value)), HERE)
    return scalar(value)


NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    WORDS | st.booleans() | st.none() | NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4))
def test_what_is_written_loads_to_the_same_values(document: dict[str, Any]):
    made = node(document)
    assert isinstance(made, Mapping)
    assert repr(plain(load_text(Source("written", write(made))))) == repr(document)


@pytest.mark.parametrize("name", library.names())
def test_the_library_is_written_in_canonical_layout(name: str):
    made = load_file(library.find(name))
    assert isinstance(made, Mapping)
    text = write(made)
    assert plain(load_text(Source("written", text))) == plain(made)
    assert format_text(Source("written", text)) == text


def test_numbers_keep_the_form_they_were_written_in():
    text = "params:\n  eps: 1e-5\n  big: 0x10\n  top: .inf\n"
    made = load_text(Source("test", text))
    assert isinstance(made, Mapping)
    assert write(made) == text


def test_comments_stand_behind_the_value():
    made = node({"params": {"a": 1, "b": 2}})
    assert isinstance(made, Mapping)
    assert write(made, {"params.b": "2*a"}) == "params:\n  a: 1\n  b: 2  # 2*a\n"


def test_steps_stand_below_each_other_and_arguments_in_braces():
    made = node({"model": [{"up": {"op": "linear", "out": 4}}, "silu", {"residual": [{"down": "linear"}]}]})
    assert isinstance(made, Mapping)
    assert write(made) == "\n".join(
        ["model:", "  - up: {op: linear, out: 4}", "  - silu", "  - residual:", "      - down: linear", ""]
    )
