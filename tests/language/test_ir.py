"""What each feature lowers to, where that is short enough to be read."""

from pathlib import Path

import pytest

from archspec import api
from archspec.ir import text, text_parse
from tests.language.cases import ALL, Block, Case, cases, ir

CASES = [(case, block) for case in ALL for block in case.of("ir")]


@pytest.mark.parametrize(
    ("case", "block"), CASES, ids=[f"{case.path.stem}: {case.name}" for case, _ in CASES]
)
def test_lowers_to(case: Case, block: Block, tmp_path: Path, request: pytest.FixtureRequest):
    graph = api.lower(case.load(tmp_path, block))
    if request.config.getoption("--update-goldens"):
        update(case, ir(graph))
    else:
        assert ir(graph) == block.text, "--update-goldens writes it anew"
    assert text_parse.read(text.show(graph)) == graph


def update(case: Case, shown: str) -> None:
    """Writes the graph into the case's file, as that stands now."""
    now = next(other for other in cases(case.path) if other.name == case.name)
    start, end = now.of("ir")[0].span
    source = case.path.read_text(encoding="utf-8")
    case.path.write_text(source[:start] + shown + source[end:], encoding="utf-8")


def test_names_are_taken_once():
    names = [(case.path, case.name) for case in ALL]
    assert len(set(names)) == len(names)


def test_every_case_says_what_it_means():
    assert [case.name for case in ALL if not case.of("ir") and not case.of("python")] == []
