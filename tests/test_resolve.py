"""Finding documents: names, paths, `extends` across files."""

from pathlib import Path

import pytest

from archspec.errors import SpecError
from archspec.lowering.lower import lower
from archspec.resolve import load
from tests.cli.runner import SPEC, written

CHILD = "extends: tiny.yaml\nname: child\nparams: {hidden_size: 6}\n"


def findings(error: SpecError) -> list[tuple[str, str]]:
    return [(found.code, str(found.span)) for found in error.diagnostics]


def test_a_child_finds_its_parent_beside_it(tmp_path: Path):
    written(tmp_path)
    child = load(written(tmp_path, CHILD, "child.yaml"))
    assert child.name == "child"
    assert (
        lower(child).root.bindings[1][1]
        == lower(load(tmp_path / "tiny.yaml", overrides={"hidden_size": 6})).root.bindings[1][1]
    )


def test_a_child_may_extend_a_spec_of_the_library(tmp_path: Path):
    child = written(tmp_path, "extends: gpt2\nname: mine\nparams: {num_layers: 1}\n")
    assert lower(load(child)).root.nodes == lower(load("gpt2", overrides={"num_layers": 1})).root.nodes


def test_a_document_below_is_beside(tmp_path: Path):
    (tmp_path / "parts").mkdir()
    written(tmp_path / "parts")
    child = written(tmp_path, CHILD.replace("tiny.yaml", "parts/tiny.yaml"), "child.yaml")
    assert load(child).text("summary") == "One linear layer over a table."


@pytest.mark.parametrize("name", ["../tiny.yaml", "parts/../../tiny.yaml", "{root}/tiny.yaml", "link.yaml"])
def test_a_path_may_not_lead_out_of_the_folder(name: str, tmp_path: Path):
    written(tmp_path)
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.yaml").symlink_to(tmp_path / "tiny.yaml")
    text = CHILD.replace("tiny.yaml", name.replace("{root}", str(tmp_path)))
    child = written(inner, text, "child.yaml")
    with pytest.raises(SpecError) as error:
        load(child)
    assert findings(error.value) == [("P011", f"{child}:1:10")]


@pytest.mark.parametrize(("name", "code"), [("nowhere.yaml", "Y001"), ("gpt3", "S901")])
def test_a_missing_parent_is_found_where_it_is_named(name: str, code: str, tmp_path: Path):
    child = written(tmp_path, CHILD.replace("tiny.yaml", name), "child.yaml")
    with pytest.raises(SpecError) as error:
        load(child)
    assert findings(error.value) == [(code, f"{child}:1:10")]


def test_a_circle_is_found(tmp_path: Path):
    written(tmp_path, "extends: b.yaml\nname: a\n", "a.yaml")
    written(tmp_path, "extends: a.yaml\nname: b\n", "b.yaml")
    with pytest.raises(SpecError) as error:
        load(tmp_path / "a.yaml")
    assert [code for code, _ in findings(error.value)] == ["P002"]


def test_what_is_wrong_in_a_parent_is_found_in_the_parent(tmp_path: Path):
    parent = written(tmp_path, SPEC.replace("summary:", "sumary:"))
    with pytest.raises(SpecError) as error:
        load(written(tmp_path, CHILD, "child.yaml"))
    assert findings(error.value) == [("S001", f"{parent}:3:1")]


@pytest.mark.parametrize("text", ["", "[]", "3"])
def test_a_parent_that_is_no_mapping_is_refused(text: str, tmp_path: Path):
    written(tmp_path, text)
    with pytest.raises(SpecError) as error:
        load(written(tmp_path, CHILD, "child.yaml"))
    assert [code for code, _ in findings(error.value)] == ["S003"]


def test_messages_name_a_near_file_by_its_short_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = written(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert load(path).node.span.source.name == "tiny.yaml"
