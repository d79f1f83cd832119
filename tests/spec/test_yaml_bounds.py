"""Hostile documents: each is refused, or read, within a second."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.errors import Diagnostic, SpecError
from archspec.spec.node import Node
from archspec.spec.yaml import load_file, load_text
from tests.spec.marked import source

SECONDS = 20  # of this process: a guard against hanging, with room for a busy machine; far less is usual


def timed(load: Callable[[], Node]) -> tuple[str, int]:
    """The first code and the number of findings, within a second of this process's own time."""
    start = time.process_time()
    try:
        load()
        codes = ["ok"]
    except SpecError as error:
        codes = [found.code for found in error.diagnostics]
    assert time.process_time() - start < SECONDS
    return codes[0], len(codes)


LAUGHS = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*b{i - 1}, *b{i - 1}]\n" for i in range(20_000))


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (LAUGHS, ("Y011", 50)),
        ("[" * 100_000, ("Y005", 1)),
        ("{" * 100_000, ("Y005", 1)),
        ("[{a: " * 100_000, ("Y005", 1)),
        ("- " * 100_000, ("Y005", 1)),
        ("? " * 100_000, ("Y005", 1)),
        ("".join(f"{' ' * i}a:\n" for i in range(1_000)), ("Y005", 1)),
        ("x" * (2 << 20), ("Y004", 1)),
        ("é" * 600_000, ("Y004", 1)),
        ("[" + "a," * 100_000 + "]", ("Y006", 1)),
        ("a: 1\n" * 60_000, ("Y006", 1)),
        ("a: 1\n" * 40_000, ("Y009", 50)),
        ("{" + ",".join(f"k{i}" for i in range(40_000)) + "}", ("Y018", 50)),
        ("{" + ",".join(f"k{i}: f(x,y)" for i in range(15_000)) + "}", ("Y017", 50)),
        ("[" + "(," * 90_000 + "]", ("ok", 1)),
        ("- 010\n" * 100_000, ("Y015", 50)),
        ("9" * 1_000_000, ("Y016", 1)),
        ("0x" + "f" * 1_000_000, ("Y016", 1)),
        ("1e" + "9" * 1_000_000, ("Y016", 1)),
        ("\n" * 1_000_000 + "\0", ("Y003", 1)),
        ("'" + "\t" * 1_000_000 + "'", ("ok", 1)),
        ("#" * 1_000_000, ("ok", 1)),
        ('"' + "a\n" * 500_000, ("Y007", 1)),
        ("a" * 1_000_000 + ": 1", ("Y007", 1)),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_a_hostile_text(text: str, codes: tuple[str, int]):
    assert timed(lambda: load_text(source(text))) == codes


def test_a_huge_file_is_not_read(tmp_path: Path):
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert timed(lambda: load_file(path)) == ("Y004", 1)


def test_the_limits_themselves_are_allowed():
    assert timed(lambda: load_text(source("[" * 64 + "]" * 64))) == ("ok", 1)
    assert timed(lambda: load_text(source("[" * 65 + "]" * 65))) == ("Y005", 1)
    assert timed(lambda: load_text(source("a: " + "x" * ((1 << 20) - 3)))) == ("ok", 1)
    assert timed(lambda: load_text(source("a: " + "x" * ((1 << 20) - 2)))) == ("Y004", 1)
    assert timed(lambda: load_text(source("[" + "a," * 99_999 + "]"))) == ("ok", 1)
    assert timed(lambda: load_text(source("[" + "a," * 100_000 + "]"))) == ("Y006", 1)


def test_the_depth_is_reported_at_the_bracket_that_is_too_many():
    with pytest.raises(SpecError) as error:
        load_text(source("[" * 100))
    assert error.value.diagnostics[0].span is not None
    assert error.value.diagnostics[0].span.column == 65


@given(st.text(alphabet=" \n\t-:,[]{}()#&*!|>'\"%@`?a01é\0\r.~<\\", max_size=40))
def test_any_text_gives_nodes_or_located_findings(text: str):
    try:
        found: list[Node | Diagnostic] = [load_text(source(text))]
    except SpecError as error:
        found = list(error.diagnostics)
    assert found
    assert all(one.span is not None for one in found)
