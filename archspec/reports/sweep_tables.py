"""A sweep as tables: every point, and how it was computed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from archspec.reports.sweep import Swept
from archspec.reports.table import Row, Table, Value
from archspec.reports.totals import TOTALS


def sweep_tables(swept: Swept, most: int | None = None) -> Iterator[Table]:
    """The points, at most so many of them, and how they were computed."""
    rows = list(_rows(swept))
    notes = [f"{TOTALS[name].label}{_unit(name)}: {name}" for name in swept.of]
    if most is not None and len(rows) > most:
        notes.append(f"{most} of {len(rows):,} points; --format csv or json writes all")
    columns = (*swept.axes, *swept.of)
    yield Table("Points", tuple(rows[:most]), columns, tuple(notes))
    yield _provenance(swept)


def _rows(swept: Swept) -> Iterator[Row]:
    for i, (point, row) in enumerate(zip(product(*swept.axes.values()), swept.rows, strict=True)):
        axes = tuple(value if isinstance(value, int) else str(value) for value in point)
        values: tuple[Value, ...] = (None,) * len(swept.of) if isinstance(row, str) else row
        yield Row(str(i + 1), (*axes, *values), "", row if isinstance(row, str) else "")


def _unit(name: str) -> str:
    unit = TOTALS[name].unit
    return f" in {unit}" if unit else ""


def _provenance(swept: Swept) -> Table:
    refused = sum(isinstance(row, str) for row in swept.rows)
    formed = swept.combinations - swept.exact
    rows = (
        Row("points", (len(swept.rows),)),
        Row("of them refused", (refused,), "", "the spec or its sizes do not allow them: see their notes"),
        Row("combinations of params", (swept.combinations,)),
        Row("of them lowered", (swept.exact,), "", "computed from their own graphs"),
        Row("of them from the closed form", (formed,), "", _how(swept)),
        Row("graphs lowered in all", (swept.lowered,), "", "with those that only prove the form"),
    )
    return Table("How they were computed", rows)


def _how(swept: Swept) -> str:
    if not swept.proven:
        return "the closed form failed where it was proved: every point was lowered"
    if not swept.free:
        return ""
    return f"exact polynomials in {', '.join(swept.free)}, proved at points that were lowered"
