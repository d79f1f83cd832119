"""Wrong text is a located finding, whatever is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.errors import Diagnostic, VerifyError
from archspec.ir.text import read, show
from archspec.ir.text_parse import MAX_LAYERS
from archspec.ir.text_scan import MAX_CHARACTERS
from tests.ir.sample import SAMPLE, edited

HEAD = 'graph g\nsummary ""\nsource ""\ndims B, S\n\n'
NORM = "{eps = 1e-06, offset = 0, cast = before}"


def finding(text: str) -> Diagnostic | None:
    try:
        read(text)
    except VerifyError as error:
        (found,) = error.diagnostics
        return found
    return None


# Old and new text; the code, what stands at the finding, and part of its message.
ERRORS: list[tuple[tuple[str, str], str, str, str]] = [
    # I001: a statement is malformed
    (("output y = %h", "output y %h"), "I001", "%h", "expected '=' before '%h'"),
    (("output y = %h", "output y = h"), "I001", "h", "expected '%' before 'h'"),
    (("output y = %h", "output y = %h %h"), "I001", "%h\n", "unexpected '%h'"),
    (("output wide = %b", "output = %b"), "I001", "= %b", "expected a name before '= %b'"),
    (('source "none"', "source none"), "I001", "none", 'expected text in "…"'),
    (('source "none"', 'source "no\\q"'), "I001", '"no', "this text has an escape that JSON does not know"),
    (("axis 0\n", "axis x\n"), "I001", "x\n", "expected a whole number before 'x'"),
    ((" axis 0\n", "\n"), "I001", "\n", "expected 'axis' before the end of the line"),
    (("let width = 8", "let width"), "I001", "\n", "expected '=' before the end of the line"),
    (
        ("call linear down(", "called linear down("),
        "I001",
        "called",
        "expected 'call', 'recur', 'repeat', 'experts' or an operation",
    ),
    (("times 4 :", ":"), "I001", ": float", "expected 'times' before"),
    (("%a, %b = split", "%a, %b, %c = split"), "I001", "\n", "expected ',' before the end of the line"),
    (("%a, %b = split", "%a = split"), "I001", ", float[B, S, 3", "unexpected ', float[B, S, 3 * wi'"),
    (("%n = rms_norm(", "= rms_norm("), "I008", "= rms_norm(", "expected 'return …' here"),
    (("%n = rms_norm(%x, %w)", "%n = rms_norm(%x %w)"), "I001", "%w)", "expected ',' before '%w)"),
    (("%n = rms_norm(%x, %w)", "%n = rms_norm(%x,, %w)"), "I001", ", %w", "expected '%' before ', %w)"),
    (("%held, %scale) {fn = mul}", "%held, %scale) {fn mul}"), "I001", "mul}", "expected '=' before"),
    # I002: indentation
    (("  let width", "   let width"), "I002", "let width", "unexpected indentation"),
    (("  let width", "      let width"), "I002", "let width", "unexpected indentation"),
    (
        ('source "none"', 'source "none"\n  more'),
        "I002",
        "more",
        "nothing stands below this kind of statement",
    ),
    (("  let heads", "    let x = 1\n  let heads"), "I002", "let x", "nothing stands below"),
    # I003: an expression
    (("let wide = 4 * width", "let wide = 4 * * width"), "I003", "* width", "expected a value before '*'"),
    (("let wide = 4 * width", "let wide ="), "I003", "\n", "expected a value before the end"),
    (("let wide = 4 * width", "let wide = 4 * widht"), "I003", "widht", "unknown name 'widht'"),
    (("let wide = 4 * width", "let wide = width // 0"), "I003", "width // 0", "width // 0 divides by zero"),
    (("[true, null", "[(mode), null"), "I003", "(mode)", "expected a number, found the word"),
    (("let rate = 0.1", "let rate = rat = 0.x"), "I003", ".x", "unexpected character '.'"),
    (("let rate = 0.1", "let rate = rat = 'x'"), "I003", "'x'", "expected a number, found the word 'x'"),
    (
        ("i64[B, S]\n  input %mask", "i64[B, S, ]\n  input %mask"),
        "I003",
        "]\n  input %mask",
        "expected a value",
    ),
    (("k <= q and", "k <= q < 1 and"), "I003", "< 1 and", "unexpected '<'"),
    # I004: an operation
    (("= rms_norm(", "= rsm_norm("), "I004", "rsm_norm", "unknown operation 'rsm_norm'"),
    # I005: attributes
    ((NORM, "{eps = 1e-06}"), "I005", "rms_norm", "rms_norm needs offset"),
    ((NORM, NORM.replace("cast", "kast")), "I005", "kast", "rms_norm has an unknown 'kast'"),
    ((NORM, "{eps = 1, eps = 1, offset = 0}"), "I005", "eps = 1, off", "rms_norm has a second 'eps'"),
    (("names = [[window, 4]]", "names = [[window]]"), "I005", "], softcap", "expected 2 items, found 1"),
    (("names = [[window, 4]]", "names = [[window, 4, 5]]"), "I005", "5]]", "expected 2 items"),
    (("uniform(-rate, rate)", "uniform()"), "I005", ")\n", "an initialisation takes one or two numbers"),
    (
        ("normal(0, 0.02)", "normal(0, 0, 0)"),
        "I005",
        "0, 0, 0)",
        "an initialisation takes one or two numbers",
    ),
    # I006: what is used stands above
    (("return %h", "return %hh"), "I006", "%hh", "'%hh' is not defined above"),
    (("return %h", "return %h?"), "I006", "%h?", "'%h' is not defined above"),
    (("arith(%held, %scale)", "arith(%held, %up)"), "I006", "%up)", "'%up' is not defined above"),
    (("call shared linear up(", "call shared dense up("), "I006", "%up_2", "no 'dense up' stands below"),
    # I008: order of statements
    (("stream S\n", "stream S\nstream B\n"), "I008", "stream B", "expected 'root …' here"),
    (('summary "', 'sumary "'), "I008", "sumary", "expected 'summary …' here"),
    (
        ("  let heads = 2\n", "  param %p: float[width] = constant(0)\n  let heads = 2\n"),
        "I008",
        "let heads",
        "'return …'",
    ),
    (
        ("  return %h\n", "  return %h\n  return %h\n"),
        "I008",
        "return %h\n\ndef",
        "'return %h' does not belong here",
    ),
    (("  return %h\n", ""), "I008", "root model", "expected 'return …' here"),
    (("    schedule 0*3 1\n", ""), "I008", "variant block", "expected 'schedule …' here"),
    (("tie h.0.w", "tied h.0.w"), "I008", "tied h.0.w = scale", "'tied h.0.w = scale' does not belong here"),
    (
        ("feed feed feed", "feed feed feed\n  return\nfeed feed feed"),
        "I008",
        "feed feed feed\n  input",
        "does not belong",
    ),
    # I009, I010
    (("i64[B, S]\n  input %mask", "i46[B, S]\n  input %mask"), "I009", "i46", "unknown dtype 'i46'"),
    (("schedule 0*3 1", "schedule 0*0 1"), "I010", "0*0 1\n", "a schedule has at most"),
    (("schedule 0*3 1", "schedule 0*-3"), "I010", "0*-3\n", "a schedule has at most"),
    (
        ("schedule 0*3 1", f"schedule 0*3 1*{MAX_LAYERS}"),
        "I010",
        f"1*{MAX_LAYERS}\n",
        "a schedule has at most",
    ),
]


@pytest.mark.parametrize(("change", "code", "at", "message"), ERRORS)
def test_errors(change: tuple[str, str], code: str, at: str, message: str):
    text = edited(change)
    found = finding(text)
    assert found is not None
    assert found.code == code
    assert message in found.message
    assert found.span is not None
    lines = text.split("\n")[found.span.line - 1 :]
    here = "\n".join(lines)[found.span.column - 1 :] + "\n"
    assert here.startswith(at)


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("= rms_norm(", "= rsm_norm(", "did you mean 'rms_norm'?"),
        ("offset = 0,", "ofset = 0,", "did you mean 'offset'?"),
        ("4 * width", "4 * widht", "did you mean 'width'?"),
        (
            "float[B, S, width]\n  input %positions",
            "flaot[B, S]\n  input %positions",
            "did you mean 'float'?",
        ),
    ],
)
def test_hints(old: str, new: str, hint: str):
    found = finding(edited((old, new)))
    assert found is not None
    assert found.hint == hint


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("", "I008", 1, 1),
        ("\n\n", "I008", 1, 1),
        ("graph", "I001", 1, 6),
        ("graph g\nsummary", "I001", 2, 8),
        (HEAD, "I008", 1, 1),
        (HEAD + "root net g", "I008", 6, 1),
        (" " * 200 + "graph g", "I007", 1, 201),
        ("#" * (MAX_CHARACTERS + 1), "I007", 1, 1),
        (HEAD + "root net g\n  let a = " + "[" * 30, "I007", 7, 32),
        (HEAD + "root net g\n  let a = " + "(" * 3000, "I003", 7, 71),
        (HEAD + "root net g\n  let a = " + "1+" * 1500 + "1", "I003", 7, 11),
        (HEAD + "root net g\n  let a = " + "9" * 100_000, "I003", 7, 11),
        (HEAD + "root net g\n  let a = " + '"' * 100_001, "I001", 7, 13),
        (HEAD + "root net g\n  input %" + "x" * 100_000, "I001", 7, 100_010),
        (HEAD + "root net g\n  () = f(" + "(" * 100_000, "I001", 7, 10),
    ],
)
def test_bounds(text: str, code: str, line: int, column: int):
    found = finding(text)
    assert found is not None
    assert found.span is not None
    assert (found.code, found.span.line, found.span.column) == (code, line, column)


def nested(levels: int) -> str:
    """A module in a module in a module …."""
    lines = [f"{'  ' * (i + 1)}() = call net m()" for i in range(levels)]
    lines += [f"{'  ' * (i + 1)}return" for i in range(levels, -1, -1)]
    return HEAD + "root net g\n" + "\n".join(lines) + "\n"


def test_modules_nest_to_a_bound():
    assert read(nested(60)) == read(show(read(nested(60))))
    found = finding(nested(500))
    assert found is not None
    assert found.code == "I007"


LINES: list[str] = SAMPLE.split("\n")
_WORDS = st.sampled_from(
    sorted({*SAMPLE.replace(",", " ").split(), "(", ")", "[", "]", "{", "}", ":", "=", '"', "?", "%"})
)


@st.composite
def broken(draw: st.DrawFn) -> str:
    """The sample with a few lines dropped, doubled, moved, re-indented, or with words changed."""
    lines: list[str] = list(LINES)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        cut = draw(st.integers(0, len(line)))
        length = draw(st.integers(0, 6))
        edits = (
            [],
            [line, line],
            ["  " + line],
            [line.removeprefix("  ")],
            [line[:cut] + line[cut + length :]],
            [line[:cut] + draw(_WORDS) + line[cut + length :]],
            [line[:cut] + draw(st.text(max_size=3)) + line[cut:]],
        )
        lines[at : at + 1] = draw(st.sampled_from(edits))
    return "\n".join(lines)


@given(st.one_of(broken(), st.text(max_size=80)))
def test_any_text_is_a_graph_or_a_finding_inside_it(text: str):
    found = finding(text)
    if found is None:
        graph = read(text)
        assert read(show(graph)) == graph
        assert show(read(show(graph))) == show(graph)
    else:
        assert found.code.startswith("I0")
        assert found.span is not None
        lines = text.split("\n")
        assert 1 <= found.span.line <= len(lines)
        assert 1 <= found.span.column <= len(lines[found.span.line - 1]) + 1
