"""A stranger's words stand in docstrings, and stay there."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec import api
from archspec.backends.torch.emit import emit
from archspec.ir.graph import Graph
from tests.backends.torch.emitted import document, root

PIECES = [
    '"', "'", '"""', "'''", "\\", "\\\\", "\n", "\r", "\t", "\0", "\x0c", "\x1b[2J", "\u2028", "\u202e",
    "\ud800", "# coding: utf-7", "{}", "%s", "import os", "é", "漢字", "🜁", " ", "word ", "x" * 120,
    '"""; raise SystemExit  # ', "\\N{BULLET}", "\\x41", "f'{1}'",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=60)
SPEC = """
inputs: {x: "[B, 4]"}
model: [{out: {op: linear, in: x, out: 2}}]
outputs: {y: out}
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return api.lower(document(tmp_path_factory.mktemp("docstrings"), SPEC))


def without_docstrings(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            del node.body[0]
    return ast.dump(tree)


@given(summary=TEXTS, source=TEXTS, provenance=TEXTS)
def test_words_change_nothing_but_docstrings(small: Graph, summary: str, source: str, provenance: str):
    text = emit(replace(small, summary=summary, source=source), provenance=provenance)
    assert without_docstrings(text) == without_docstrings(emit(small))
    assert all(character.isprintable() or character == "\n" for character in text)


@given(st.lists(st.sampled_from(['"', "'", "\\", '"""', "'''", "word", " "]), max_size=9).map("".join))
def test_what_can_be_shown_is_shown(small: Graph, words: str):
    doc = ast.get_docstring(ast.parse(emit(replace(small, summary=f"say {words}"))), clean=False)
    assert doc is not None
    said, _, _ = doc.partition("\n\nSpec ")
    assert said.split() == f"Case: say {words}".split()


def test_the_first_two_lines_declare_no_encoding(small: Graph):
    text = emit(replace(small, summary="# coding: utf-7\n# coding: utf-7"))
    assert root(text)().out.out_features == 2
    assert not text.startswith("#")


@pytest.mark.parametrize("words", ['"quoted"', 'ends with "', 'one """ two', "a \\", "two\nlines", "x" * 200])
def test_ruff_keeps_it_as_it_is(small: Graph, words: str, tmp_path: Path):
    path = tmp_path / "model.py"
    path.write_text(emit(replace(small, summary=words, source=words), provenance=words), encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=110", "--diff", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
