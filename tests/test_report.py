"""Diagnostics as people and tools read them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.errors import Diagnostic, Source, Span
from archspec.report import render_json, render_text


def found(text: str, column: int, end_column: int, line: int = 1, end_line: int | None = None) -> Diagnostic:
    span = Span(Source("a.yaml", text), line, column, end_line or line, end_column)
    return Diagnostic("S001", "unknown op 'layernrm'", span, "did you mean 'layernorm'?")


def test_the_whole_block():
    text = "model:\n  - ln_1: layernrm  # comment\n"
    assert render_text([found(text, 11, 19, line=2)]) == (
        "a.yaml:2:11: S001 unknown op 'layernrm'\n"
        "      - ln_1: layernrm  # comment\n"
        "              ^^^^^^^^\n"
        "  hint: did you mean 'layernorm'?"
    )


def test_blocks_follow_each_other_in_the_given_order():
    first, second = found("abc", 1, 2), Diagnostic("S002", "no place, no hint")
    assert render_text([second, first]).splitlines() == [
        "S002 no place, no hint",
        "a.yaml:1:1: S001 unknown op 'layernrm'",
        "    abc",
        "    ^",
        "  hint: did you mean 'layernorm'?",
    ]
    assert render_text([]) == ""


def excerpt(diagnostic: Diagnostic) -> tuple[str, str]:
    _, line, caret, _ = render_text([diagnostic]).split("\n")
    return line.removeprefix("    "), caret.removeprefix("    ")


@pytest.mark.parametrize(
    ("diagnostic", "line", "caret"),
    [
        (found("a:\tb c", 4, 5), "a:    b c", "      ^"),
        (found("a:\tb c", 3, 5), "a:    b c", "  ^^^^^"),
        (found("日本: x", 5, 6), "日本: x", "      ^"),
        (found("日本: x", 1, 3), "日本: x", "^^^^"),
        (found("e\u0301te\u0301: x", 8, 9), "e\u0301te\u0301: x", "     ^"),
        (found("a: 1", 4, 4), "a: 1", "   ^"),
        (found("a: 1", 5, 5), "a: 1", "    ^"),
        (found("a: 1", 99, 120), "a: 1", "    ^"),
        (found("a: {b: 1,  \n c: 2}", 4, 7, end_line=2), "a: {b: 1,", "   ^^^^^^"),
        (found("x\r\ny: 2\r\n", 4, 5, line=2), "y: 2", "   ^"),
        (found("x\ry: 2\r", 4, 5, line=2), "y: 2", "   ^"),
        (found("a: \x1b[31m!", 4, 5), "a: �[31m!", "   ^"),
        (found("a: \u202e!", 5, 6), "a: �!", "    ^"),
    ],
)
def test_the_caret_stands_under_the_span(diagnostic: Diagnostic, line: str, caret: str):
    assert excerpt(diagnostic) == (line, caret)


@pytest.mark.parametrize("column", [1, 30, 99, 100, 101, 500, 998])
@pytest.mark.parametrize("filler", ["x", "日"])
def test_a_long_line_is_cut_around_the_caret(column: int, filler: str):
    text = filler * (column - 1) + "Q" + filler * (1000 - column)
    line, caret = excerpt(found(text, column, column + 1))
    columns = [character for c in line for character in ([c] if c in "Q…x" else [c, ""])]
    assert columns[len(caret) - 1] == "Q"
    assert caret.strip() == "^"
    assert len(columns) <= 102
    assert line.startswith("…") == (column > 41)
    assert line.endswith("…") == (column < 940)


def test_a_long_span_ends_with_the_line_that_is_shown():
    line, caret = excerpt(found("a: " + "x" * 1000, 4, 1004))
    assert (len(line), caret) == (101, "   " + "^" * 97)


def test_a_line_of_exactly_the_width_is_not_cut():
    assert excerpt(found("x" * 100, 100, 101)) == ("x" * 100, " " * 99 + "^")


@pytest.mark.parametrize("text", ["", "one line"])
def test_no_excerpt_where_the_source_has_no_such_line(text: str):
    assert len(render_text([found(text, 1, 1, line=2)]).splitlines()) == 2


def test_what_a_user_wrote_cannot_drive_the_terminal():
    span = Span(Source("a\x1b[2J\ud800.yaml", "x"), 1, 1, 1, 2)
    text = render_text([Diagnostic("S001", "bad\nname \x07\u2028", span, "one\ntwo\x1b")])
    assert text.splitlines() == [
        r"a\x1b[2J\ud800.yaml:1:1: S001 bad\nname \x07\u2028",
        "    x",
        "    ^",
        "  hint: one",
        r"        two\x1b",
    ]
    assert text.encode()


def test_colour_adds_only_colour():
    plain, coloured = (render_text([found("abc", 2, 3)], color=color) for color in (False, True))
    assert "\x1b" not in plain
    assert "\x1b[1;31mS001\x1b[0m" in coloured
    for style in ("\x1b[1m", "\x1b[1;31m", "\x1b[36m", "\x1b[0m"):
        assert style in coloured
        coloured = coloured.replace(style, "")
    assert coloured == plain


def test_json_has_every_field():
    unplaced = Diagnostic("Y020", "é", None, None)
    first, second = json.loads(render_json([found("abc", 2, 3), unplaced]))
    assert first == {
        "code": "S001",
        "message": "unknown op 'layernrm'",
        "file": "a.yaml",
        "line": 1,
        "column": 2,
        "end_line": 1,
        "end_column": 3,
        "hint": "did you mean 'layernorm'?",
    }
    assert list(second) == list(first)
    assert second == dict.fromkeys(first) | {"code": "Y020", "message": "é"}
    assert render_json([]) == "[]"


@given(
    st.text(alphabet="ab \t日é\u0301\r\n\x00\x1b😀\ud800", max_size=300),
    st.integers(1, 5),
    st.integers(1, 300),
    st.integers(0, 2),
    st.integers(1, 300),
)
def test_any_text_and_span_can_be_shown(text: str, line: int, column: int, more: int, end: int):
    diagnostic = found(text, column, end, line=line, end_line=line + more)
    shown = render_text([diagnostic])
    assert shown.encode()
    assert "\x1b" not in shown
    assert shown.splitlines()[0].startswith(f"a.yaml:{line}:{column}: S001")
    assert json.loads(render_json([diagnostic]))[0]["column"] == column
