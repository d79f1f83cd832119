"""The formatter: canonical, idempotent, and never a change of meaning or of a comment."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.errors import InternalError, SpecError
from archspec.spec import fmt
from archspec.spec.fmt import format_text
from archspec.spec.node import plain
from archspec.spec.yaml import load_text
from tests.spec.marked import source

CANONICAL = """\
# a spec
archspec: 1
name: "gpt2"                  # quotes are the author's
params:                       # aligned comments
  vocab_size: 50257
  intermediate_size: 4*hidden_size      # farther out
presets:
  medium: {hidden_size: 1024, num_layers: 24}
  large:  {hidden_size: 1280, num_layers: 36}
  xl:     {hidden_size: 1600, num_layers: 48}

blocks:
  block:
    body:
      # before a step
      - residual:
          - ln_1: layernorm
          - attn: {op: attention, mask: causal,
                   rope: {theta: 1e4},  # inside brackets
                   # a line of its own
                   kv: x}
      - silu
        # after a step
      - - nested
        - list
notes: |
    four spaces in,
      and more

  # a comment
folded: "two
  lines"
empty:
tail: [a, b,]
# the end
"""


def formatted(text: str) -> str:
    return format_text(source(text))


def test_canonical_text_is_left_alone():
    assert formatted(CANONICAL) == CANONICAL


@pytest.mark.parametrize(
    ("messy", "neat"),
    [
        ("a: 1", "a: 1\n"),
        ("a: 1\n\n\n", "a: 1\n"),
        ("\n\na: 1\n", "a: 1\n"),
        ("a: 1   \nb: 2 \n", "a: 1\nb: 2\n"),
        ("a: 1\n\n \n\nb: 2\n", "a: 1\n\nb: 2\n"),
        ("a: 1\r\nb:\r\n  - c\r\n", "a: 1\nb:\n  - c\n"),
        ("a:   1\n", "a: 1\n"),
        ("a : 1\n", "a: 1\n"),
        ("a:\n    b:\n        c: 1\n    d: 2\n", "a:\n  b:\n    c: 1\n  d: 2\n"),
        ("a:\n- b\n- c:\n  - d\ne: 1\n", "a:\n  - b\n  - c:\n      - d\ne: 1\n"),
        ("-   a: 1\n    b: 2\n", "- a: 1\n  b: 2\n"),
        ("-\n  a: 1\n", "-\n  a: 1\n"),
        ("-   -   a\n    -   b\n", "- - a\n  - b\n"),
        ("a: { b: 1,c: [ 1,2 , 3 ] }\n", "a: {b: 1, c: [1, 2, 3]}\n"),
        ("a: { }\nb: [ ]\n", "a: {}\nb: []\n"),
        ('{"a":1, b: }\n', '{"a": 1, b: }\n'),
        ("a:\n      word\n", "a:\n  word\n"),
        ("a:\n      word\n       more\n", "a:\n  word\n  more\n"),
        (
            "a:\n    b: |\n        x\n          y\n\n        z\n",
            "a:\n  b: |\n      x\n        y\n\n      z\n",
        ),
        ("a: |\n  x\n\n\n\nb: 1\n", "a: |\n  x\n\nb: 1\n"),
        ("a: |+\n  x\n\n\n\nb: 1\n", "a: |+\n  x\n\n\n\nb: 1\n"),
        ("a:\n    b: |1\n       x\n      y\n\n\n    c: 1\n", "a:\n  b: |1\n     x\n    y\n\n  c: 1\n"),
        ("a: |\n  x  \n\n  y", "a: |\n  x  \n\n  y"),
        ("a: |+\n  x\n\n", "a: |+\n  x\n\n"),
        ("a:  1  # x\nbb: 22  # y\n", "a:  1  # x\nbb: 22  # y\n"),
        ("a:   1\nbb:  2\nc: 3\n", "a:  1\nbb: 2\nc: 3\n"),
        ("a:  1\n\nbb: 2\n", "a: 1\n\nbb: 2\n"),
        ("a:    1      # x\nb: [1,2]    # y\n", "a: 1         # x\nb: [1, 2]   # y\n"),
        ("a:   1 # x\n", "a: 1 # x\n"),
        ("a:\n    # in\n    b: 1\n    # after\n# out\n", "a:\n  # in\n  b: 1\n  # after\n# out\n"),
        ("a: [1,\n    # in\n    2]\n", "a: [1,\n    # in\n    2]\n"),
        ("a:\n    - [1,\n       2]\n", "a:\n  - [1,\n     2]\n"),
        ("---\na:   1\n...\n", "---\na: 1\n...\n"),
        ("# only\n\n\n# comments", "# only\n\n# comments\n"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_what_is_not_canonical_becomes_so(messy: str, neat: str):
    assert formatted(messy) == neat
    assert formatted(neat) == neat


def test_a_text_that_does_not_load_is_refused():
    with pytest.raises(SpecError) as error:
        formatted("a: 010")
    assert error.value.diagnostics[0].code == "Y015"


@pytest.mark.parametrize("broken", ["a: 2\n", "a: [\n", "a: '1'\n", "a: 1.0\n", "b: 1\n", "a: true\n"])
def test_a_changed_meaning_is_never_returned(broken: str, monkeypatch: pytest.MonkeyPatch):
    class Broken:
        def __init__(self, text: str) -> None: ...

        def text(self) -> str:
            return broken

    monkeypatch.setattr(fmt, "Layout", Broken)
    with pytest.raises(InternalError) as error:
        formatted("a: 1\n")
    assert error.value.diagnostics[0].code == "Y020"


def test_nan_is_equal_to_itself():
    assert formatted("a:  .nan\n") == "a: .nan\n"


def test_a_large_text_takes_no_time():
    text = "# c\na:\n" + "".join(f"    # c\n    k{i}:   [1,2]  # c\n" for i in range(15_000))
    start = time.process_time()
    formatted(text)
    assert time.process_time() - start < 20  # quadratic work would take minutes


WORDS = st.sampled_from(
    ["a", "bb", "x y", "1e-5", "null", "'q # r'", '"d\\"e"', "é日", "4*d", "- 1".strip("- ")]
)
GAP = st.sampled_from(["", " ", "  ", "   "])
COMMENT = st.sampled_from(["", "", "", " # c", "   # longer comment", "  "])


@st.composite
def flow(draw: st.DrawFn, depth: int = 0) -> str:
    """A value in flow style, with odd spaces."""
    if depth > 2 or draw(st.booleans()):
        return draw(WORDS)
    items = [draw(flow(depth + 1)) for _ in range(draw(st.integers(0, 3)))]
    gaps = [draw(GAP) for _ in range(len(items) + 2)]
    if draw(st.booleans()):
        return "[" + gaps[0] + ("," + gaps[1]).join(items) + gaps[-1] + "]"
    pairs = [f"k{i}{gaps[0]}: {gaps[i]}{item}" for i, item in enumerate(items)]
    return "{" + gaps[0] + (gaps[1] + "," + gaps[2 % len(gaps)]).join(pairs) + gaps[-1] + "}"


@st.composite
def block(draw: st.DrawFn, indent: int, depth: int = 0) -> list[str]:
    """The lines of a mapping or list in block style, at an odd indentation, with comments and blank lines."""
    lines: list[str] = []
    is_list = draw(st.booleans())
    for number in range(draw(st.integers(1, 3))):
        lines += draw(st.lists(st.sampled_from(["", " ", "# top", " " * indent + "# here"]), max_size=2))
        head = " " * indent + ("-" if is_list else f"k{number}:")
        kinds = ["flow", "block", "literal", "folded", "wrapped", "empty", *(["compact"] if is_list else [])]
        kind = draw(st.sampled_from(kinds)) if depth < 3 else "flow"
        if kind == "flow":
            lines.append(head + " " + draw(GAP) + draw(flow()) + draw(COMMENT))
        elif kind == "block":
            below = draw(block(indent + draw(st.integers(1, 5)), depth + 1))
            lines += [head + draw(COMMENT), *below]
        elif kind == "compact":
            gap = draw(st.integers(1, 4))
            below = draw(block(indent + 1 + gap, depth + 1))
            while not below[0].strip() or below[0].strip().startswith("#"):
                below.pop(0)
            lines += [head + " " * gap + below[0].strip(), *below[1:]]
        elif kind == "wrapped":
            deeper = " " * (indent + draw(st.integers(1, 6)))
            lines += [f"{head} [{draw(flow())},", f"{deeper}# here", f"{deeper}{{a:  1}},", f"{deeper}b ]"]
        elif kind == "literal":
            deeper = " " * (indent + draw(st.integers(1, 4)))
            style = draw(st.sampled_from(["|", ">", "|-", "|+"]))
            lines += [
                f"{head} {style}",
                f"{deeper}one  ",
                "",
                f"{deeper} two",
                *[""] * draw(st.integers(0, 2)),
            ]
        elif kind == "folded":
            lines += [
                f'{head} "one',
                f"{' ' * (indent + draw(st.integers(1, 4)))}two \\",
                ' three"' + draw(COMMENT),
            ]
        else:
            lines.append(head + draw(COMMENT))
    return lines


def comments(text: str) -> list[str]:
    return re.findall(r"(?:^|\s)(# (?:c|longer comment|top|here))$", text, re.MULTILINE)


@given(st.data())
def test_any_layout_becomes_canonical_without_loss(data: st.DataObject):
    text = "\n".join(data.draw(block(data.draw(st.integers(0, 3))))) + data.draw(
        st.sampled_from(["", "\n", "\n\n"])
    )
    once = formatted(text)
    assert plain(load_text(source(once))) == plain(load_text(source(text)))
    assert comments(once) == comments(text)
    assert formatted(once) == once
