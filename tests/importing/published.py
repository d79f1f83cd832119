"""Configurations as their library saves them, and the specs that they become."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from inspect import Parameter, signature
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from msgspec.structs import replace
from torch import nn

from archspec import api
from archspec.dims.num import Value
from archspec.errors import ArchspecError, Collector, Diagnostic
from archspec.importing import choose
from archspec.importing.document import configuration
from archspec.importing.fields import Fields, fields_of
from archspec.library import names
from archspec.lowering.settings import Settings
from archspec.spec.spec import Spec
from archspec.weights.folder import hub_config
from archspec.weights.of_spec import rules_of
from archspec.weights.rules import WeightRules
from tests.parity.catalog import ALL, Model
from tests.parity.rig import reference_class

Config = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A weight map of a spec of the library: one kind of config.json."""

    spec: str
    name: str

    def __str__(self) -> str:
        return self.spec if self.name == "hf" else f"{self.spec}-{self.name}"

    @property
    def fields(self) -> Fields:
        return _fields(self)

    def rules(self, preset: str | None = None) -> WeightRules:
        return rules_of(loaded(self.spec, preset), self.name)

    def case(self) -> Model | None:
        """A small model of this kind with inputs, if there is one."""
        cases = (model for model in ALL if model.spec == self.spec)
        return next((model for model in cases if model.graph == self.fields.graph), None)

    def small(self) -> WeightRules:
        """The map at a small size."""
        return rules_of(small(self), self.name)

    @property
    def base(self) -> Spec:
        """What a small configuration is read with: of a part of a system, the other parts small too."""
        return loaded(self.spec) if self.fields.graph is None else small(self)


@cache
def loaded(spec: str, preset: str | None = None) -> Spec:
    return api.load(spec, preset=preset)


@cache
def small(section: Section) -> Spec:
    """The spec at a small size: a part of a system without a case takes that of another part."""
    model = section.case() or next(model for model in ALL if model.spec == section.spec)
    return api.load(section.spec, preset=model.preset, overrides=model.params, graph=section.fields.graph)


@cache
def _fields(section: Section) -> Fields:
    return next(each for each in fields_of(loaded(section.spec)) if each.section == section.name)


SECTIONS = [Section(spec, name) for spec in names() for name in loaded(spec).table("weights")]


def presets(spec: str) -> tuple[str | None, ...]:
    return (None, *loaded(spec).presets)


def settings(rules: WeightRules) -> Config:
    """What an export writes, without the name of the class."""
    return {
        key: value for key, value in hub_config(rules).items() if key not in {"architectures", "_class_name"}
    }


def reference(rules: WeightRules, config: Config) -> Any:
    """The reference without memory for its weights. Raises what it raises."""
    kind = reference_class(rules.library, rules.class_ or "")
    with torch.device("meta"):
        if not hasattr(kind, "config_class"):
            return kind(**config)
        made = kind.config_class(**config)
        made._attn_implementation = "eager"
        return kind(made)


def save(rules: WeightRules, config: Config, folder: Path) -> Path:
    """Writes config.json as the reference's library does, which needs no model."""
    kind = reference_class(rules.library, rules.class_ or "")
    if hasattr(kind, "config_class"):
        made = kind.config_class(**config)
        made.architectures = [rules.class_]
        made.save_pretrained(folder)
        return folder
    made = kind.__new__(kind)
    nn.Module.__init__(made)
    given = {name: each.default for name, each in signature(kind).parameters.items()} | config
    made.register_to_config(**{name: value for name, value in given.items() if value is not Parameter.empty})
    made.save_config(folder)
    return folder


def write(config: Config, folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    return folder


def read(folder: Path) -> Config:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def imported(folder: Path, base: str) -> Spec:
    """The spec that a folder's configuration becomes, read back from its text."""
    made = api.import_config(folder, base=base, name="imported")
    path = folder / "imported.yaml"
    path.write_text(made.text, encoding="utf-8")
    return api.load(path)


def no_graph(spec: Spec) -> None:
    """In place of a graph: that params make a model is asked where it matters, not for each configuration."""


def chosen(folder: Path, *bases: Spec, lower: Callable[[Spec], Any] = no_graph) -> Spec:
    """The one of these specs, or of the library, that a configuration means, with its params."""
    specs = {base.name: base for base in bases or map(loaded, names())}
    with patch.object(choose, "lower", lower):
        made = choose.choose(configuration(folder), specs)
    return replace(choose.with_params(specs[made.base], made.params), graph=made.graph)


def refused(folder: Path, base: Spec, lower: Callable[[Spec], Any] = no_graph) -> tuple[Diagnostic, ...]:
    """Why a configuration is no spec; nothing where it is. `lower`: makes its graph, if anything does."""
    try:
        chosen(folder, base, lower=lower)
    except ArchspecError as error:
        return tuple(error.diagnostics)
    return ()


def values(spec: Spec) -> dict[str, Value]:
    return dict(Settings(spec, Collector()).values)


def learned(model: Any) -> int:
    return sum(each.numel() for each in model.parameters() if each.requires_grad)
