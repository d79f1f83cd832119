"""Every spec of the library is what its reference's own configurations become, at every published size.

A spec that is a section of `weights` short of an `import`, or whose configurations are not read, fails here.
"""

import json
from pathlib import Path
from unittest.mock import patch

import pytest
from huggingface_hub.errors import StrictDataclassError

from archspec import api
from archspec.dims.num import Value
from archspec.errors import ArchspecError
from archspec.importing import choose
from archspec.library import names
from archspec.weights.folder import hub_config
from tests.importing.published import (
    SECTIONS,
    Config,
    Section,
    chosen,
    imported,
    loaded,
    no_graph,
    presets,
    read,
    save,
    settings,
    small,
    values,
    write,
)  # fmt: skip

each_section = pytest.mark.parametrize("section", SECTIONS, ids=str)


UNPUBLISHED = {"lstm", "gru"}  # which no library of checkpoints has


def test_every_spec_says_what_files_may_say():
    assert {section.spec for section in SECTIONS} == set(names()) - UNPUBLISHED
    assert [str(section) for section in SECTIONS if not section.fields.complete] == []


@each_section
def test_a_saved_configuration_means_its_preset(section: Section, tmp_path: Path):
    """As the reference's library saves it, and as an export does: the same params of the same spec."""
    own = loaded(section.spec)
    for preset in presets(section.spec):
        rules, meant = section.rules(preset), values(loaded(section.spec, preset))
        assert values(chosen(save(rules, settings(rules), tmp_path), own)) == meant, preset
        assert values(chosen(write(hub_config(rules), tmp_path), own)) == meant, preset


@each_section
def test_it_is_told_from_all_others(section: Section, tmp_path: Path):
    rules = section.rules()
    found = chosen(save(rules, settings(rules), tmp_path))
    assert (found.name, found.graph) == (section.spec, section.fields.graph)


@each_section
def test_its_text_is_the_same_graph(section: Section, tmp_path: Path):
    rules = section.small()
    with patch.object(choose, "lower", no_graph):
        found = imported(save(rules, settings(rules), tmp_path), section.spec)
    meant = chosen(tmp_path, loaded(section.spec))
    assert (found.graph, values(found)) == (section.fields.graph, values(meant))
    if found.graph is None:  # else the other parts keep sizes that do not go with this one's
        assert not api.diff(small(section), found)


@each_section
def test_what_is_left_out_means_what_the_reference_takes(section: Section, tmp_path: Path):
    rules, known = section.small(), dict[str, dict[str, Value] | str]()
    config = settings(rules)
    for gone in (None, *config):
        fewer = {name: value for name, value in config.items() if name != gone}
        try:
            whole = read(save(rules, fewer, tmp_path))
        except (ValueError, TypeError, StrictDataclassError):  # the reference refuses it
            continue
        told = {name: whole[name] for name in ("model_type", "architectures", "_class_name") if name in whole}
        text = json.dumps(whole)
        if text not in known:
            known[text] = outcome(tmp_path, whole, section)
        assert outcome(tmp_path, {**told, **fewer}, section) == known[text], gone


def outcome(folder: Path, config: Config, section: Section) -> dict[str, Value] | str:
    """The params that a configuration means, or that it means none."""
    try:
        return values(chosen(write(config, folder), loaded(section.spec)))
    except ArchspecError:
        return "refused"
