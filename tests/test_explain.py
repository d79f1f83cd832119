"""The page of codes: its form, and that its examples do what it says."""

import re
from pathlib import Path

import pytest

from archspec.errors import ArchspecError, Source, Span, SpecError
from archspec.explain import codes, explain
from archspec.spec.extend import resolve
from archspec.spec.node import Mapping
from archspec.spec.yaml import load_text

PARENT = """\
name: gpt2
params: {dropout: 0.1}
blocks:
  block:
    body:
      - residual: [{ln_1: layernorm}, {dropout: {p: dropout}}]
      - residual: [{ln_2: layernorm}, {dropout: {p: dropout}}]
model:
  - wte: {op: embedding, in: input_ids, num: 10, dim: 4}
  - wpe: {op: learned_positions, max: 4}
  - dropout: {p: dropout}
  - h: {repeat: 2, block: block}
"""
EXAMPLE = re.compile(r"^(Wrong|Right):\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(first_letters: str) -> list[tuple[str, str, str]]:
    """Every example of the codes with one of these letters: code, wrong or right, text."""
    return [
        (code, kind, text)
        for code in codes()
        if code[0] in first_letters
        for kind, text in EXAMPLE.findall(explain(code))
    ]


def read(text: str) -> None:
    def parent(name: str, path: Path | None, span: Span) -> tuple[Mapping, None]:
        node = load_text(Source(name, PARENT))
        assert isinstance(node, Mapping)
        return node, None

    node = load_text(Source("example.yaml", text))
    assert isinstance(node, Mapping)
    resolve(node, None, find=parent)


@pytest.mark.parametrize(("code", "kind", "text"), examples("YP"))
def test_an_example_does_what_it_says(code: str, kind: str, text: str):
    if kind == "Right":
        read(text)
    else:
        with pytest.raises(SpecError) as error:
            read(text)
        assert {found.code for found in error.value.diagnostics} == {code}


def test_every_wrong_example_has_a_right_one():
    kinds: dict[str, list[str]] = {}
    for code, kind, _ in examples("YP"):
        kinds.setdefault(code, []).append(kind)
    assert set(map(tuple, kinds.values())) == {("Wrong", "Right")}
    assert len(kinds) > 20


def test_codes_are_listed_once_with_their_slugs():
    assert codes()["Y009"] == "duplicate-key"
    assert len(set(codes().values())) == len(codes())
    headings = re.findall(
        r"^## .*", Path(explain.__code__.co_filename).with_name("explain.md").read_text(), re.M
    )
    assert headings == [f"## {code} {slug}" for code, slug in codes().items()]


def test_a_section_is_printed_alone():
    text = explain(" y009 ")
    assert text.startswith("## Y009 duplicate-key\n\nA key stands twice in one mapping.")
    assert text.count("\n## ") == 0
    assert text.endswith("```\n")


@pytest.mark.parametrize(
    ("code", "hint"), [("S9O1", "did you mean 'S901'?"), ("help", "codes are"), ("", "codes are")]
)
def test_an_unknown_code(code: str, hint: str):
    with pytest.raises(ArchspecError) as error:
        explain(code)
    (found,) = error.value.diagnostics
    assert (found.code, found.message) == ("X001", f"there is no code '{code}'")
    assert hint in (found.hint or "")
