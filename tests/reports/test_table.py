"""A table is written once and shown in four ways."""

import csv
import io
import json

import pytest

from archspec import units
from archspec.analysis.ranges import Range
from archspec.dims import poly
from archspec.reports.table import Row, Table, render, shown

TABLE = Table(
    "Costs",
    (
        Row("parameters", (1234, None), "count", "a | b"),
        Row("time", (Range(0.001, 0.25), 60.0), "s"),
        Row("symbols", (poly.symbol("B"), 3), "FLOP"),
    ),
    ("full", "exact"),
    ("a note",),
)


def test_text():
    assert render([TABLE], "text") == (
        "Costs\n"
        "                        full   exact\n"
        "  parameters  1,234 (1.23 k)       -  a | b\n"
        "  time         1 ms … 250 ms   1 min\n"
        "  symbols                  B  3 FLOP\n"
        "  note: a note\n"
    )


def test_markdown_escapes_bars():
    lines = render([TABLE], "markdown").splitlines()
    assert lines[0] == "### Costs"
    assert lines[3] == "| --- | ---: | ---: | --- |"
    assert lines[4] == r"| parameters | 1,234 (1.23 k) | - | a \| b |"
    assert lines[-1] == "- a note"


def test_csv_reads_back():
    rows = list(csv.DictReader(io.StringIO(render([TABLE], "csv"))))
    assert len(rows) == 6
    assert rows[0] == {
        "table": "Costs", "label": "parameters", "column": "full", "value": "1234", "worst": "",
        "unit": "count", "note": "a | b",
    }  # fmt: skip
    assert (rows[2]["value"], rows[2]["worst"]) == ("0.001", "0.25")


def test_json_keeps_exact_numbers():
    record = json.loads(json.dumps(TABLE.record()))
    assert record["rows"][0]["full"] == 1234
    assert record["rows"][0]["exact"] is None
    assert record["rows"][1]["full"] == {"best": 0.001, "worst": 0.25}
    assert record["rows"][2]["full"] == "B"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1536, "B", "1,536 (1.5 KiB)"),
        (12, "B", "12 B"),
        (2e12, "FLOP", "2 TFLOP"),
        (0.5, "share", "50 %"),
        (0.0123, "$", "$0.0123"),
        (1234.5, "$", "$1,234"),
        ("as it is", "", "as it is"),
        (0, "FLOP", "0 FLOP"),
    ],
)
def test_values(value: float | str, unit: str, text: str):
    assert shown(value, unit) == text  # pyright: ignore[reportArgumentType]  # units are those of the table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ns"), (2.5e-6, "2.5 µs"), (0.25, "250 ms"), (90, "1.5 min"), (864000, "10 days")],
)
def test_times(seconds: float, text: str):
    assert units.time(seconds) == text
