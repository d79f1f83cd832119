"""One field of a configuration with another value, and what comes of it: what is silently another model."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch

from archspec import api
from archspec.errors import ArchspecError, Diagnostic
from archspec.importing.domain import Domains
from archspec.importing.equations import IDENTITY
from archspec.importing.fields import reads, words
from archspec.importing.harmless import table
from archspec.lowering.lower import lower
from archspec.spec.node import plain
from archspec.weights.of_spec import rules_of
from tests.importing.changes import ILLEGAL, changed, others
from tests.importing.published import Config, Section, chosen, presets, refused, save, settings, small
from tests.parity.catalog import Model
from tests.parity.rig import Rig, build, reference_class

NO_MODEL = (*ILLEGAL, NotImplementedError)


@dataclass(frozen=True)
class Trial:
    """A small configuration, the model's, whose field at `path` gets another value."""

    section: Section
    model: Model
    path: str
    value: Any

    @property
    def config(self) -> Config:
        return changed(self.model.config, (self.path, self.value))

    def __str__(self) -> str:
        return f"{self.section}: {self.path} = {self.value!r} in {self.model.config}"


def trials(section: Section) -> Iterator[Trial]:
    """Every field that may matter with every value that it may have, beside the words of each preset."""
    for model in models(section):
        known, whole = literals(model), complete(model)
        for path, value in leaves(whole):
            named = known.get(path.rsplit(".")[-1], ()) if isinstance(value, str | None) else ()
            for other in distinct([*named, *spoken(section, path), *others(value), None], value):
                if matters(section, path):
                    yield Trial(section, within(model, whole, path), path, other)


def models(section: Section) -> Iterator[Model]:
    """The case, and the small ones of presets that have other words or fields."""
    model, seen = section.case(), list[object]()
    assert model is not None
    for preset in (None, *presets(section.spec)):
        try:
            spec = api.load(section.spec, preset=preset, overrides=model.params, graph=section.fields.graph)
            given = replace(model, config=settings(rules_of(spec, section.name))) if seen else model
            form = {
                (path, value if isinstance(value, bool | str) else None)
                for path, value in leaves(complete(given))
            }
        except (ArchspecError, *NO_MODEL):  # sizes of the case that do not go with the preset
            continue
        if form not in seen:
            seen.append(form)
            yield given


def complete(model: Model) -> Config:
    """All that the reference's configuration holds."""
    config = build(model).config
    return config.to_dict() if hasattr(config, "to_dict") else dict(config)


def within(model: Model, whole: Config, path: str) -> Model:
    """The model with all of the table that a field stands in."""
    outer = path.split(".")[0]
    return (
        model
        if outer in model.config or outer == path
        else replace(model, config={**model.config, outer: whole[outer]})
    )


def leaves(config: Config, outer: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict) and not all(str(key).isdigit() for key in value):
            yield from leaves(value, f"{outer}{name}.")
        else:
            yield f"{outer}{name}", value


def matters(section: Section, path: str) -> bool:
    """Not what is ignored, which `test_ignored` tries, and not the names of kinds."""
    fields = section.fields
    anywhere = path not in fields.config and path.rsplit(".")[-1] in table().any
    return path not in {*fields.ignore, *IDENTITY} and not anywhere


def literals(model: Model) -> dict[str, tuple[Any, ...]]:
    """The words that the reference's configuration says a field may be."""
    kind = getattr(reference_class(model.library, model.reference), "config_class", None)
    hints = get_type_hints(kind, localns={"torch": torch}) if kind else {}
    return {name: tuple(_literals(hint)) for name, hint in hints.items()}


def _literals(hint: Any) -> Iterator[Any]:
    for each in get_args(hint):
        if get_origin(hint) is Literal:
            yield each
        else:
            yield from _literals(each)


def spoken(section: Section, path: str) -> Iterator[str]:
    """The words that the spec speaks of where it speaks of a field."""
    if (field := section.fields.config.get(path)) is not None:
        domains = Domains(section.base)
        yield from words(field.expr)
        yield from (word for name in reads(field.expr) for word in domains.of(name) if isinstance(word, str))


def distinct(values: list[Any], known: Any) -> list[Any]:
    """Each of the values once, by what is written; not the one that is known."""
    return [
        value for written, value in {repr(value): value for value in values}.items() if written != repr(known)
    ]


def fault(trial: Trial, folder: Path) -> str | None:
    """What is silently wrong; nothing where a file is refused, or where the reference refuses it."""
    try:
        save(trial.section.small(), trial.config, folder)
        wrong = refused(folder, trial.section.base, lower)
        if wrong and (trial.path in said(wrong) or wrong[0].code in {"C004", "C005", "C006"}):
            return None
        rig = Rig.set_up(replace(trial.model, config=trial.config), folder)
    except NO_MODEL:
        return None
    return f"refused without its name: {said(wrong)}" if wrong else otherwise(trial, rig, folder)


def said(wrong: tuple[Diagnostic, ...]) -> str:
    return " ".join(f"{each.code} {each.message} {each.hint}" for each in wrong)


def otherwise(trial: Trial, rig: Rig, folder: Path) -> str | None:
    """What is not as the reference has it: names and shapes, or numbers, where the inputs of the case fit."""
    case = next(iter(trial.model.cases))
    try:
        ours = api.compile(chosen(folder, trial.section.base), attention="eager", weights=folder)
    except ArchspecError as error:  # a rule for layers that are not there (W002) is said
        return None if error.diagnostics[0].code == "W002" else said(tuple(error.diagnostics))
    try:
        expected = rig.expected(case)
    except NO_MODEL:
        return None
    excess = 0.0 if is_input(trial) else expected.excess(rig.run(ours, rig.inputs(case)))
    return None if excess <= 1 else f"{excess} times the reference's own rounding"


def is_input(trial: Trial) -> bool:
    """Whether a field is a size of the inputs, which are the case's."""
    fixed = str(plain(small(trial.section).section("inputs")))
    field = trial.section.fields.config.get(trial.path)
    return field is not None and any(re.search(rf"\b{name}\b", fixed) for name in reads(field.expr))
