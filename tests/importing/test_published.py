"""Every spec of the library is what its reference's own configurations become, at every published size.

A spec that is a section of `weights` short of an `import`, or whose configurations are not read, fails here.
"""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import StrictDataclassError

from archspec import api
from archspec.dims.num import Value
from archspec.errors import ArchspecError
from archspec.importing import choose
from archspec.ir.graph import parameter_count
from archspec.library import names
from archspec.spec.node import plain
from archspec.spec.spec import Spec
from archspec.weights.folder import hub_config
from tests.importing.published import (
    SECTIONS,
    Config,
    Section,
    imported,
    learned,
    presets,
    read,
    reference,
    save,
    settings,
    values,
    write,
)  # fmt: skip

PRESETS = [
    pytest.param(section, preset, id=f"{section}-{preset or 'own'}")
    for section in SECTIONS
    for preset in presets(section.spec)
]
HEAD = {"name", "extends", "params", "presets", "expect", "graph"}
each_section = pytest.mark.parametrize("section", SECTIONS, ids=str)


@pytest.fixture
def no_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing ends with the params: that they make a model is asked once, not for each configuration."""
    monkeypatch.setattr(choose, "lower", nothing)


def nothing(spec: Spec) -> None:
    """In place of a graph."""


def test_every_spec_says_what_files_may_say():
    assert {section.spec for section in SECTIONS} == set(names())
    assert [str(section) for section in SECTIONS if not section.fields.complete] == []


def structure(spec: Spec) -> dict[str, Any]:
    """All that a spec says but its params, and what it says of itself."""
    return {str(key.value): plain(node) for key, node in spec.node.entries if key.value not in HEAD}


@pytest.mark.usefixtures("no_graphs")
@pytest.mark.parametrize(("section", "preset"), PRESETS)
def test_a_saved_configuration_means_the_preset(section: Section, preset: str | None, tmp_path: Path):
    """The same structure with the same params is the same graph; `diff` says so below."""
    spec = api.load(section.spec, preset=preset)
    rules = section.rules(spec)
    found = imported(save(rules, settings(rules), tmp_path), section.spec)
    assert (values(found), structure(found)) == (values(spec), structure(spec))
    assert found.graph == section.fields.graph


@each_section
def test_it_is_told_from_all_others_and_is_the_same_graph(section: Section, tmp_path: Path):
    spec = api.load(section.spec, graph=section.fields.graph)
    rules = section.rules(spec)
    found = imported(save(rules, settings(rules), tmp_path))
    assert not api.diff(spec, found)
    assert parameter_count(api.lower(found)) == learned(reference(rules, settings(rules)))


@pytest.mark.usefixtures("no_graphs")
@each_section
def test_an_export_is_imported_as_what_it_was(section: Section, tmp_path: Path):
    for preset in presets(section.spec):
        spec = api.load(section.spec, preset=preset)
        assert values(imported(write(hub_config(section.rules(spec)), tmp_path), section.spec)) == values(
            spec
        )


@pytest.mark.usefixtures("no_graphs")
@each_section
def test_what_is_left_out_means_what_the_reference_takes(section: Section, tmp_path: Path):
    rules = section.rules(section.small())
    config = settings(rules)
    for gone in (None, *config):
        fewer = {name: value for name, value in config.items() if name != gone}
        try:
            whole = read(save(rules, fewer, tmp_path))
        except (ValueError, TypeError, StrictDataclassError):  # the reference refuses it
            continue
        short = {"model_type": whole.get("model_type"), **class_of(whole), **fewer}
        assert outcome(tmp_path, short, section) == outcome(tmp_path, whole, section), gone


def class_of(config: Config) -> Config:
    return {name: config[name] for name in ("architectures", "_class_name") if name in config}


def outcome(folder: Path, config: Config, section: Section) -> dict[str, Value] | str:
    """The params that a configuration means, or that it means none."""
    told = {name: value for name, value in config.items() if name != "model_type" or value is not None}
    try:
        return values(imported(write(told, folder), section.spec))
    except ArchspecError:
        return "refused"
