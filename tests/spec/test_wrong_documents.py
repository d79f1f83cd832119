"""Wrong documents: each gives exactly the findings beside it, with code, place, words and hint."""

import re

import pytest

from archspec.errors import Diagnostic, Source, SpecError
from archspec.spec.spec import read_spec
from archspec.spec.yaml import load_text
from tests.spec.wrong import Case, cases, files, findings, rendered, rewritten

CASES = [case for file in files() for case in cases(file)]
# A finding that names no place in a text: a preset is not written in the document.
PLACELESS = {"S020"}


@pytest.fixture(scope="module", autouse=True)
def _update(request: pytest.FixtureRequest):
    if request.config.getoption("--update-goldens"):
        for file in files():
            file.write_text(rewritten(file), encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_findings(case: Case, request: pytest.FixtureRequest):
    if request.config.getoption("--update-goldens"):
        pytest.skip("written anew")
    assert rendered(case) == case.expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_finding_has_a_place_and_a_hint(case: Case):
    found = findings(case.text, case.option("preset"), case.option("set"))
    assert found
    assert [f for f in found if f.span is None and f.code not in PLACELESS] == []
    assert [f for f in found if not f.hint] == []
    assert [f for f in found if not _inside(f)] == []
    assert len({(f.code, f.span, f.message) for f in found}) == len(found)


def _inside(found: Diagnostic) -> bool:
    """Whether the span of a finding lies in its text and is not empty, but where the text is."""
    span = found.span
    if span is None:
        return True
    lines = re.split(r"\r\n|\r|\n", span.source.text)
    begin, end = (span.line, span.column), (span.end_line, span.end_column)
    return (
        1 <= span.line <= span.end_line <= len(lines)
        and 1 <= span.column <= len(lines[span.line - 1]) + 1
        and begin <= end
    )


def test_the_table_is_read_whole():
    headings = sum(file.read_text(encoding="utf-8").count("\n## ") for file in files())
    assert len(CASES) == headings
    assert len(CASES) >= 150
    assert len({str(case) for case in CASES}) == len(CASES)


BOTH = """\
archspec: 1
name: m
sumary: x
inputs: {x: "[B, 8]"}
model: [3, {out: {op: linaer, in: x}}]
outputs: {y: out}
"""


def test_reading_alone_raises_what_it_finds():
    with pytest.raises(SpecError) as error:
        read_spec(load_text(Source("spec.yaml", BOTH)))
    assert [found.code for found in error.value.diagnostics] == ["S001", "S011"]


def test_reading_and_lowering_share_their_findings():
    assert [found.code for found in findings(BOTH)] == ["S001", "S011", "L001"]
