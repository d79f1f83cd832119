"""A configuration with another value in a field, or in all: what it becomes is what the reference builds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from archspec import api
from archspec.dims.expr import Name
from archspec.errors import Collector, Diagnostic
from archspec.importing.fields import Field, reads
from archspec.ir.graph import parameter_count
from archspec.lowering.lower import lower
from archspec.lowering.settings import Settings
from archspec.spec.node import plain
from archspec.spec.spec import Spec
from tests.importing.changes import ILLEGAL, at, changed, others, together
from tests.importing.published import (
    SECTIONS,
    Config,
    Section,
    chosen,
    learned,
    reference,
    refused,
    save,
    settings,
    small,
)  # fmt: skip
from tests.parity.catalog import Model
from tests.parity.draw import draw
from tests.parity.rig import Rig, build, results

SMALL = [section for section in SECTIONS if section.case()]
ALONE = [section for section in SECTIONS if section.fields.graph is None]  # the parts of a system: together


@dataclass(frozen=True)
class Trial:
    """A field with another value that the reference takes, and why ours does not; nothing where it does.

    `count`: the reference's parameters that learn.
    """

    field: Field
    value: Any
    count: int
    wrong: tuple[Diagnostic, ...]


@cache
def trials(section: Section) -> tuple[Trial, ...]:
    """For each field with params behind it, legal values up to the first that is understood."""
    free = (field for field in section.fields.read if reads(field.expr))
    with TemporaryDirectory() as folder:
        return tuple(trial for field in free for trial in tried(section, field, Path(folder)))


def tried(section: Section, field: Field, folder: Path) -> Iterator[Trial]:
    rules = section.small()
    config = settings(rules)
    try:
        value = at(config, field.path)
    except KeyError:  # there only beside other values
        return
    for other in others(value):
        trial = changed(config, (field.path, other))
        try:
            count = learned(reference(rules, trial))
            save(rules, trial, folder)
        except ILLEGAL:
            continue
        yield (found := Trial(field, other, count, refused(folder, section.base, settled)))
        if not found.wrong:
            return


def settled(spec: Spec) -> None:
    """All params have values. Raises SpecError where one has none."""
    found = Collector()
    assert Settings(spec, found).values
    found.raise_if_any()


@pytest.mark.parametrize("section", ALONE, ids=str)
def test_one_other_value_is_understood_or_named(section: Section):
    found = trials(section)
    for trial in found:
        assert not trial.wrong or names_it(trial), (trial.field.path, trial.value, trial.wrong)
    understood = {trial.field.path for trial in found if not trial.wrong or trial.wrong[0].code == "C005"}
    assert {trial.field.path for trial in found if is_its_own(section, trial.field)} <= understood


def names_it(trial: Trial) -> bool:
    """A finding, or its hint, speaks of the field. Of sizes that do not fit (C005), any."""
    said = " ".join(f"{each.message} {each.hint}" for each in trial.wrong)
    return bool(re.search(rf"\b{re.escape(trial.field.path)}\b", said)) or trial.wrong[0].code == "C005"


def is_its_own(section: Section, field: Field) -> bool:
    """Whether a field is just a param, which no other field reads."""
    readers = [each for each in section.fields.read if {*reads(each.expr)} & {*reads(field.expr)}]
    return isinstance(field.expr, Name) and readers == [field]


@pytest.mark.parametrize("section", SMALL, ids=str)
def test_all_other_values_together(section: Section, tmp_path: Path):
    """The same numbers. Sizes of the inputs stay, since those of the case do.

    Values that do not go with the others give as many parameters as the reference has.
    """
    model = section.case()
    assert model is not None
    fixed = str(plain(small(section).section("inputs")))
    edits = [
        (trial.field.path, trial.value)
        for trial in trials(section)
        if not trial.wrong and not any(re.search(rf"\b{name}\b", fixed) for name in reads(trial.field.expr))
    ]
    config, taken = together(model.config, edits, lambda trial: works(section, model, trial, tmp_path))
    for trial in trials(section):
        if section in ALONE and not trial.wrong and (trial.field.path, trial.value) not in taken:
            assert count(section, trial, tmp_path) == trial.count, trial.field.path
    rig = Rig.set_up(replace(model, config=config), tmp_path)
    ours = api.compile(chosen(tmp_path, section.base), attention="eager", weights=tmp_path)
    case = next(iter(model.cases))
    assert rig.expected(case).excess(rig.run(ours, rig.inputs(case))) <= 1


def count(section: Section, trial: Trial, folder: Path) -> int | None:
    """Our parameters with one other value; the reference's where the sizes do not fit."""
    rules = section.small()
    save(rules, changed(settings(rules), (trial.field.path, trial.value)), folder)
    wrong = refused(folder, section.base, lower)
    return (
        trial.count
        if wrong and wrong[0].code == "C005"
        else parameter_count(lower(chosen(folder, section.base)))
    )


def works(section: Section, model: Model, config: Config, folder: Path) -> bool:
    """Whether the reference takes the inputs of the case, and its configuration makes a model of ours."""
    name, case = next(iter(model.cases.items()))
    try:
        results(build(replace(model, config=config)), draw(case, case.inputs, model.name, name), model)
    except ILLEGAL:
        return False
    return not refused(save(section.small(), config, folder), section.base, lower)
