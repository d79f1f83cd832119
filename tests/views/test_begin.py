"""The beginnings of specs: templates that check and are no models of the library; commented extensions."""

from pathlib import Path

import pytest

import archspec
from archspec import api, library
from archspec.errors import ArchspecError
from archspec.spec.node import Scalar
from archspec.spec.patch_path import locate
from archspec.views.begin import paths_of
from tests.cli.runner import cli, written


@pytest.mark.parametrize("name", library.templates())
def test_a_template_is_a_spec_under_its_new_name(name: str, tmp_path: Path):
    text = archspec.new("my-model", template=name)
    path = written(tmp_path, text, "my-model.yaml")
    for preset in (None, *api.load(path).presets):
        assert archspec.check(api.load(path, preset=preset)).spec.name == "my-model"
    assert archspec.source(path)
    assert not archspec.fmt(path, write=False)
    assert text.count("#") > 5


def test_templates_are_no_models_of_the_library():
    assert {"decoder", "encoder", "encoder-decoder", "image-classifier"} <= set(library.templates())
    assert not {*library.templates()} & {*library.names()}


@pytest.mark.parametrize("base", ["gpt2", "t5"])
def test_an_extension_begins_as_what_it_extends(base: str, tmp_path: Path):
    path = written(tmp_path, archspec.new("mine", base=base), "mine.yaml")
    ours, theirs = archspec.lower(path), archspec.lower(base)
    assert (ours.root.nodes, ours.outputs) == (theirs.root.nodes, theirs.outputs)


@pytest.mark.parametrize("base", library.names())
def test_every_path_it_lists_can_be_patched(base: str):
    spec = api.load(base)
    paths = list(paths_of(spec))
    assert paths
    for path in paths:
        assert locate(spec.node, Scalar(path, path, spec.node.span)).is_step


def test_the_comments_become_a_change(tmp_path: Path):
    text = archspec.new("mine", base="gpt2")
    text = text.replace("# params:\n", "params:\n").replace("#   num_layers: 12", "  num_layers: 2")
    lines = text.replace("# patch:\n", "patch:\n").splitlines()
    (chosen,) = [
        number for number, line in enumerate(lines) if line.startswith("#   - ") and "replace" in line
    ]
    lines[chosen] = lines[chosen].partition("#")[2].partition("#")[0].replace("word", "rmsnorm")
    text = "\n".join(lines) + "\n"
    changed = archspec.diff("gpt2", written(tmp_path, text, "mine.yaml"))
    assert [(each.name, each.after) for each in changed.params] == [("num_layers", "2")]
    assert "~ h.*.ln_1  layernorm → rmsnorm" in str(changed)


@pytest.mark.parametrize("name", ["7b", "a b", "", "é", "x" * 65, "a\nb: c"])
def test_a_name_that_no_model_can_have(name: str):
    for more in ({}, {"base": "gpt2"}):
        with pytest.raises(ArchspecError) as error:
            archspec.new(name, **more)
        assert [each.code for each in error.value.diagnostics] == ["S004"]


def test_an_unknown_template():
    with pytest.raises(
        ArchspecError, match=r"S901 no template is called 'decodr' \(did you mean 'decoder'\?\)"
    ):
        archspec.new("mine", template="decodr")


def test_the_command(tmp_path: Path):
    out = tmp_path / "new" / "mine.yaml"
    assert cli("new", "mine").stdout == archspec.new("mine")
    assert cli("new", "mine", "--template", "encoder", "-o", out).stdout == f"{out}\n"
    assert out.read_text() == archspec.new("mine", template="encoder")
    assert "F002" in cli("new", "mine", "--from", "gpt2", "-o", out, status=1).stderr
    assert out.read_text() == archspec.new("mine", template="encoder")
    assert cli("new", "mine", "--from", "gpt2").stdout == archspec.new("mine", base="gpt2")
    assert "Usage:" in cli("new", "mine", "--from", "gpt2", "--template", "encoder", status=2).stderr
