"""The verbs without torch, and what the package exports. Verbs that run a model: tests/test_model.py."""

import inspect
import json
import types
from pathlib import Path

import pytest

import archspec
from archspec import api
from archspec.errors import ArchspecError, SpecError
from archspec.ir.graph import parameter_count
from archspec.library import names
from tests.cli.runner import SPEC, written


def codes(error: ArchspecError) -> list[str]:
    return [found.code for found in error.diagnostics]


def test_the_package_exports_verbs_and_no_module_hides_one():
    for name in set(archspec.__all__) - {"__version__"}:
        value = getattr(archspec, name)
        assert not isinstance(value, types.ModuleType), name
        assert value.__doc__, name
    assert not {path.stem for path in Path(archspec.__file__).parent.iterdir()} & set(archspec.__all__)


def test_every_verb_of_the_page_is_exported():
    page = {
        name
        for name, value in vars(api).items()
        if inspect.isfunction(value) and value.__module__ == "archspec.api"
    }
    assert {name for name in page if not name.startswith("_")} <= set(archspec.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="archspec"):
        getattr(archspec, "chekc")  # noqa: B009  # pyright knows that it is not there


def test_a_spec_is_found_by_name_path_and_text_path(tmp_path: Path):
    path = written(tmp_path)
    assert api.load("gpt2").name == "gpt2"
    assert api.load(path).name == api.load(str(path)).name == "tiny"


def test_presets_and_overrides_reach_the_graph():
    small = api.load("gpt2", preset="medium", overrides={"num_layers": 2, "vocab_size": "50257 + 1"})
    size = parameter_count(api.lower(small))
    again = api.load("gpt2", preset="medium", overrides={"num_layers": 2, "vocab_size": 50258})
    assert size == parameter_count(api.lower(again)) == 77_707_264


def test_a_loaded_spec_takes_more_overrides(tmp_path: Path):
    spec = api.load(written(tmp_path), overrides={"vocab_size": 20})
    assert parameter_count(api.lower(api.load(spec, preset="big", overrides={"wide": 1}))) == 20 * 8 + 8 + 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        (True, "true"),
        (None, "null"),
        (0.5, "0.5"),
        (float("inf"), ".inf"),
        ([1, None], "[1, null]"),
        ("[a, b]", "[a, b]"),
    ],
)
def test_overrides_are_yaml_values(tmp_path: Path, value: object, shown: str):
    ((name, node),) = api.load(written(tmp_path), overrides={"wide": value}).overrides
    assert (name, node.span.source.name) == ("wide", f"--set wide={shown}")


@pytest.mark.parametrize("value", ["{a: 1}", "", "  ", object(), {"a": 1}])
def test_what_is_no_value_is_refused(tmp_path: Path, value: object):
    with pytest.raises(SpecError) as error:
        api.load(written(tmp_path), overrides={"wide": value})
    assert codes(error.value) == ["S003"]


def test_check_gives_counts_and_facts():
    checked = api.check("bert")
    assert (checked.parameters, checked.tensors, checked.maps) == (109_514_298, 202, ("hf",))
    assert checked.facts == {"params": 109_514_298}
    assert checked.graph == api.lower("bert")


@pytest.mark.parametrize("name", names())
def test_every_preset_of_the_library_checks(name: str):
    for preset in (None, *api.load(name).presets):
        assert api.check(api.load(name, preset=preset)).spec.preset == preset


def test_source_is_stable_and_tells_what_it_was_built_from():
    first, second = api.source("gpt2"), api.source(api.load("gpt2"))
    assert first == second
    assert "Spec     gpt2.yaml, resolved sha256 " in first
    assert f"archspec {archspec.__version__}; attention=sdpa" in first
    assert api.source(api.load("gpt2", overrides={"dropout": 0})).split("sha256 ")[1][:16] not in first


def test_an_unknown_attention_is_refused():
    with pytest.raises(ArchspecError) as error:
        api.source("gpt2", attention="flash")
    assert codes(error.value)[0].startswith("U")


def test_a_weight_map_is_a_bijection_of_names():
    weights = api.weight_map("gpt2")
    assert weights.hub_shapes()["transformer.h.0.attn.c_attn.weight"] == (768, 2304)
    assert len(weights.recipes) == 148


def test_a_spec_without_the_section_says_so(tmp_path: Path):
    with pytest.raises(SpecError) as error:
        api.weight_map(written(tmp_path))
    assert codes(error.value) == ["W050"]


def test_the_start_token_is_the_hubs():
    assert api.start_token(api.load("t5", overrides={"start_token": 7})) == 7
    assert api.start_token("gpt2") == 0


def test_show_forms_agree_with_the_verbs_behind_them(tmp_path: Path):
    spec = written(tmp_path)
    assert api.show(spec) == str(api.outline(spec))
    assert api.lower(written(tmp_path, api.show(spec, "resolved"), "again.yaml")) == api.lower(spec)
    assert json.dumps(api.outline(spec).record())


def test_the_catalog_and_the_vocabulary_are_complete():
    assert tuple(entry.name for entry in api.catalog()) == names()
    assert {"attention", "linear", "embedding"} <= {word.name for word in api.vocabulary()}


def test_fmt_says_whether_it_changed_something(tmp_path: Path):
    path = written(tmp_path, SPEC.replace("name: tiny", "name:  tiny"))
    assert api.fmt(path, write=False)
    assert api.fmt(path)
    assert not api.fmt(path)
    assert path.read_text() == SPEC
