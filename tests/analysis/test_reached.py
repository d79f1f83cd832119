"""The file of efficiencies: written, read, and refused."""

from pathlib import Path

import pytest

from archspec.analysis.ranges import Band
from archspec.analysis.reached import reached_text, read_reached
from archspec.analysis.roofline import Efficiency
from archspec.errors import ArchspecError

REACHED = Efficiency(Band(0.3, 0.4, "a run"), Band(0.5, 0.6, "another"))
BAND = '{"low": 0.1, "high": 0.2, "source": "x"}'


def code(path: Path) -> str:
    with pytest.raises(ArchspecError) as error:
        read_reached(path)
    (found,) = error.value.diagnostics
    return found.code


def test_what_is_written_is_read(tmp_path: Path):
    path = tmp_path / "reached.json"
    path.write_text(reached_text(REACHED), encoding="utf-8")
    assert read_reached(path) == REACHED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        f'{{"mfu": {BAND}}}',
        f'{{"mfu": {BAND}, "mbu": {BAND}, "mfq": 1}}',
        f'{{"mfu": {BAND}, "mbu": {{"low": "a", "high": 1, "source": ""}}}}',
    ],
)
def test_what_is_no_such_file(text: str, tmp_path: Path):
    path = tmp_path / "reached.json"
    path.write_text(text, encoding="utf-8")
    assert code(path) == "D010"


def test_what_is_not_there_and_what_is_no_share(tmp_path: Path):
    assert code(tmp_path / "nothing.json") == "D010"
    path = tmp_path / "reached.json"
    path.write_text(f'{{"mfu": {BAND}, "mbu": {BAND.replace("0.2", "1.5")}}}', encoding="utf-8")
    assert code(path) == "D004"
    with pytest.raises(ArchspecError):
        reached_text(Efficiency(Band(0.0, 0.4, "a run")))
