"""One field of a configuration with another value, and what comes of it: what is silently another model."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from archspec import api
from archspec.errors import ArchspecError
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
Path_ = str


@dataclass(frozen=True)
class Trial:
    """`config` is the small configuration of a preset, all of it; the field at `path` gets the `value`."""

    section: Section
    model: Model
    config: Config
    path: str
    value: Any

    @property
    def changed(self) -> Config:
        return changed(self.config, (self.path, self.value))


def trials(section: Section) -> Iterator[Trial]:
    """Every field that may matter with every value that it may have, beside the words of each preset."""
    model = section.case()
    assert model is not None
    known = values_by_field(section, model)
    for config in configurations(section, model):
        for path, value in leaves(config):
            if matters(section, path):
                named = known.get(path.rsplit(".")[-1], []) if isinstance(value, str | None) else []
                for other in distinct([*named, *words_of(section, path), *others(value), None], value):
                    yield Trial(section, model, config, path, other)


def configurations(section: Section, model: Model) -> Iterator[Config]:
    """The case's, as the reference completes it, and small ones of presets that have other words or fields."""
    seen = list[set[tuple[str, object]]]()
    for preset in (model.preset, *presets(section.spec)):
        try:
            spec = api.load(section.spec, preset=preset, overrides=model.params, graph=section.fields.graph)
            given = settings(rules_of(spec, section.name)) if seen else model.config
            config = complete(replace(model, config=given))
        except (ArchspecError, *NO_MODEL):  # sizes of the case that do not go with the preset
            continue
        form = {(path, value if isinstance(value, bool | str) else None) for path, value in leaves(config)}
        if form not in seen:
            seen.append(form)
            yield config


def complete(model: Model) -> Config:
    """All that the reference's configuration holds."""
    config = build(model).config
    return config.to_dict() if hasattr(config, "to_dict") else dict(config)
