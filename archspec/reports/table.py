"""Tables, each written once and shown in four ways: text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from archspec import units
from archspec.analysis.ranges import Range
from archspec.dims import poly
from archspec.dims.poly import Poly

Unit: TypeAlias = Literal[
    "", "B", "FLOP", "FLOP/s", "FLOP/B", "B/s", "s", "$", "h", "kWh", "1/s", "share", "count"
]
Value: TypeAlias = int | float | str | Range | Poly | None
Form: TypeAlias = Literal["text", "markdown", "csv"]

_SHOWN: dict[str, Callable[[float], str]] = {
    "B": units.size,
    "s": units.time,
    "$": units.money,
    "share": units.share,
    "FLOP": lambda number: units.count(number, "FLOP"),
    "FLOP/s": lambda number: units.count(number, "FLOP/s"),
    "1/s": lambda number: f"{units.digits(number)} /s",
    "B/s": lambda number: units.count(number, "B/s"),
    "FLOP/B": lambda number: f"{units.digits(number)} FLOP/B",
    "h": lambda number: f"{units.count(number)} h",
    "kWh": lambda number: f"{units.count(number)} kWh",
    "count": units.count,
}


class Row(Struct, frozen=True):
    """A line: its label, a value for each column, their unit or units, and what there is to say of it."""

    label: str
    values: tuple[Value, ...]
    unit: Unit | tuple[Unit, ...] = ""
    note: str = ""

    @property
    def units(self) -> tuple[Unit, ...]:
        """A unit for each value."""
        return self.unit if isinstance(self.unit, tuple) else (self.unit,) * len(self.values)


class Table(Struct, frozen=True):
    """A titled table. `columns` name the values; one column needs no name. `notes` stand below."""

    title: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...] = ("",)
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, object]:
        """Plain data: exact numbers, ranges as their two ends, sizes that are not known in symbols."""
        rows = [
            {"label": row.label, "unit": " ".join(dict.fromkeys(row.units)), "note": row.note}
            | {column or "value": _plain(v) for column, v in zip(self.columns, row.values, strict=True)}
            for row in self.rows
        ]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def shown(value: Value, unit: Unit) -> str:
    """A value for people; integers whole, with the size in words behind."""
    if value is None:
        return "-"
    if isinstance(value, Range):
        return f"{shown(value.best, unit)} … {shown(value.worst, unit)}"
    if isinstance(value, Poly):
        return poly.show(value)
    if isinstance(value, str) or not unit:
        return f"{value:,}" if isinstance(value, int) else str(value)
    text = _SHOWN[unit](value)
    exact = isinstance(value, int) and abs(value) >= 1000 and unit in ("B", "FLOP", "count")
    return f"{value:,} ({text})" if exact else text


def render(tables: Iterable[Table], form: Form) -> str:
    """All tables in one text."""
    if form == "csv":
        return _csv(tables)
    each = _markdown if form == "markdown" else _text
    return "\n\n".join("\n".join(each(table)) for table in tables) + "\n"


def _cells(table: Table) -> list[list[str]]:
    head = [["", *table.columns, ""]] if any(table.columns) else []
    return [*head, *([row.label, *map(shown, row.values, row.units), row.note] for row in table.rows)]


def _text(table: Table) -> list[str]:
    cells = _cells(table)
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))] if cells else []
    words = [True, *_words(table), True]
    lines = [table.title]
    for line in cells:
        parts = [
            cell.ljust(width) if is_words else cell.rjust(width)
            for cell, width, is_words in zip(line, widths, words, strict=True)
        ]
        lines.append(("  " + "  ".join(parts)).rstrip())
    return [*lines, *(f"  note: {note}" for note in table.notes)]


def _words(table: Table) -> list[bool]:
    """Whether a column has words, and no number."""
    columns = zip(*(row.values for row in table.rows), strict=True)
    return [all(isinstance(x, str) for x in column) for column in columns]


def _markdown(table: Table) -> list[str]:
    cells = _cells(table)
    head = cells[0] if any(table.columns) else [""] * len(cells[0] if cells else ())
    body = cells[1:] if any(table.columns) else cells
    rule = ["---", *("---" if is_words else "---:" for is_words in _words(table)), "---"]
    lines = [f"| {' | '.join(map(_escaped, line))} |" for line in (head, rule, *body)]
    return [
        f"### {table.title}",
        "",
        *lines,
        *(["", *(f"- {note}" for note in table.notes)] if table.notes else []),
    ]


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _csv(tables: Iterable[Table]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "label", "column", "value", "worst", "unit", "note"])
    for table in tables:
        for row in table.rows:
            for column, value, unit in zip(table.columns, row.values, row.units, strict=True):
                writer.writerow([table.title, row.label, column, *_ends(value), unit, row.note])
    return out.getvalue()


def _ends(value: Value) -> Sequence[object]:
    if isinstance(value, Range):
        return value.best, value.worst
    return poly.show(value) if isinstance(value, Poly) else "" if value is None else value, ""


def _plain(value: Value) -> object:
    if isinstance(value, Range):
        return {"best": value.best, "worst": value.worst}
    return poly.show(value) if isinstance(value, Poly) else value
