"""What a spec of the library does not understand is refused at the field, whatever the spec."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archspec.dims.evaluate import evaluate
from archspec.dims.num import Num, Value
from archspec.importing.equations import IDENTITY
from archspec.importing.fields import Field, reads
from archspec.weights.folder import hub_config
from tests.importing.changes import changed, others
from tests.importing.published import SECTIONS, Config, Section, refused, write

each_section = pytest.mark.parametrize("section", SECTIONS, ids=str)


@each_section
def test_a_field_that_no_spec_knows(section: Section, tmp_path: Path):
    config = hub_config(section.small())
    for table in tables(config):
        path = f"{table}no_such_field"
        (found,) = refused(write(changed(config, (path, 1)), tmp_path), section.base)
        assert (found.code, found.message.split(":")[0]) == ("C003", f"'{path}' is not understood")


def tables(config: Config, outer: str = "") -> Iterator[str]:
    """Where a field may stand: at the top, and in every table."""
    yield outer
    for name, value in config.items():
        if isinstance(value, dict):
            yield from tables(value, f"{outer}{name}.")


@each_section
def test_another_value_of_a_field_that_can_have_but_one(section: Section, tmp_path: Path):
    config = hub_config(section.small())
    for field in constants(section):
        other = others(json(evaluate(field.expr, {}.__getitem__)))[0]
        found = refused(write(changed(config, (field.path, other)), tmp_path), section.base)
        assert ("C004", field.path) in [(each.code, each.message.split("'")[1]) for each in found], other


def constants(section: Section) -> Iterator[Field]:
    """The fields that are read, and with no param behind them."""
    fields = {**section.fields.defaults, **section.fields.config}
    told = {*IDENTITY, *section.fields.ignore}
    yield from (field for path, field in fields.items() if path not in told and not reads(field.expr))


def json(value: Value) -> Any:
    if isinstance(value, tuple):
        return [json(item) for item in value]
    return value.real if isinstance(value, Num) else value
