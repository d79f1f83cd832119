"""A configuration with another value in a field, or in all: what it becomes is what the reference builds."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import StrictDataclassError

from archspec import api
from archspec.dims.expr import Name
from archspec.errors import Collector, Diagnostic
from archspec.importing.fields import Field, reads
from archspec.ir.graph import Graph, parameter_count
from archspec.lowering.lower import lower
from archspec.lowering.settings import Settings
from archspec.spec.node import plain
from archspec.spec.spec import Spec
from tests.importing.changes import at, changed, others
from tests.importing.published import (
    SECTIONS,
    Config,
    Section,
    imported,
    learned,
    read,
    reference,
    refused,
    save,
    settings,
    write,
)  # fmt: skip
from tests.parity.draw import draw
from tests.parity.rig import Rig, build, results

ILLEGAL = (ValueError, TypeError, KeyError, IndexError, ZeroDivisionError, RuntimeError, StrictDataclassError,
           AssertionError, AttributeError)  # fmt: skip
SMALL = [section for section in SECTIONS if section.case()]
ALONE = [section for section in SECTIONS if section.fields.graph is None]  # the parts of a system: together


def free(section: Section) -> Iterator[Field]:
    """The fields that params stand behind."""
    yield from (field for field in section.fields.read if reads(field.expr))


def legal(section: Section, config: Config, field: Field, folder: Path) -> Iterator[tuple[Any, Config, int]]:
    """Other values of a field with which the reference can be built: what it saves, and its parameters."""
    rules = section.rules(section.small())
    try:
        value = at(config, field.path)
    except KeyError:  # there only beside other values
        return
    for other in others(value):
        try:
            new = changed(config, field.path, other)
            count = learned(reference(rules, new))
            yield other, read(save(rules, new, folder)), count
        except ILLEGAL:
            continue


@pytest.mark.parametrize("section", ALONE, ids=str)
def test_one_other_value(section: Section, tmp_path: Path):
    """The spec that it becomes has as many parameters as the reference, or a finding names the field."""
    config = settings(section.rules(section.small()))
    for field in free(section):
        tried = 0
        for _, saved, count in legal(section, config, field, tmp_path):
            tried, graphs = tried + 1, list[Graph]()
            wrong = refused(write(saved, tmp_path), section.spec, partial(lowered, graphs))
            if not wrong:
                assert parameter_count(graphs[-1]) == count, field.path
                break
            assert names_it(field, wrong), (field.path, wrong)
        else:
            assert not tried or not is_its_own(section, field), field.path


def names_it(field: Field, wrong: tuple[Diagnostic, ...]) -> bool:
    """A finding, or its hint, speaks of the field. Of sizes that do not fit (C005), any."""
    said = " ".join(f"{each.message} {each.hint}" for each in wrong)
    return bool(re.search(rf"\b{re.escape(field.path)}\b", said)) or wrong[0].code == "C005"


def is_its_own(section: Section, field: Field) -> bool:
    """Whether a field is just a param, which no other field reads."""
    readers = [each for each in section.fields.read if {*reads(each.expr)} & {*reads(field.expr)}]
    return isinstance(field.expr, Name) and readers == [field]


def settled(spec: Spec) -> None:
    """All params have values. Raises SpecError where one has none."""
    found = Collector()
    assert Settings(spec, found).values
    found.raise_if_any()


def lowered(graphs: list[Graph], spec: Spec) -> Graph:
    graphs.append(lower(spec))
    return graphs[-1]


@pytest.mark.parametrize("section", SMALL, ids=str)
def test_all_other_values_together(section: Section, tmp_path: Path):
    """The same numbers. Sizes of the inputs stay, since those of the case do."""
    model = section.case()
    assert model is not None
    config, fixed = model.config, str(plain(section.small().section("inputs")))
    for field in free(section):
        if any(re.search(rf"\b{name}\b", fixed) for name in reads(field.expr)):
            continue
        for value, saved, _ in legal(section, config, field, tmp_path):
            trial = changed(config, field.path, value)
            if not refused(write(saved, tmp_path), section.spec, settled) and runs(section, trial):
                config = trial
                break
    rig = Rig.set_up(replace(model, config=config), tmp_path)
    ours = api.compile(imported(tmp_path, section.spec), attention="eager", weights=tmp_path)
    case = next(iter(model.cases))
    assert rig.expected(case).excess(rig.run(ours, rig.inputs(case))) <= 1


def runs(section: Section, config: Config) -> bool:
    """Whether the reference takes the inputs of the case."""
    model = section.case()
    assert model is not None
    case = next(iter(model.cases.items()))
    try:
        results(
            build(replace(model, config=config)), draw(case[1], case[1].inputs, model.name, case[0]), model
        )
    except ILLEGAL:
        return False
    return True
