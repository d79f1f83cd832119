"""A part of a model has what its outputs need and nothing else, and is a sound graph."""

from pathlib import Path

import pytest

from archspec import api
from archspec.errors import ArchspecError
from archspec.ir import text
from archspec.ir.graph import Graph, parameters
from archspec.ir.text_parse import read
from archspec.ir.verify import verify

SPEC = """\
archspec: 1
name: pair
params: {d: 4}
inputs:
  ids: int64[B, S]
  pixels: "[I, 3, H]"
  mask: {type: "int64[B, S]", default: "ids * 0 + 1"}
  scale: {type: "[B]", optional: true}
model:
  - table: {op: embedding, in: ids, num: 5, dim: d}
  - masked: "table * mask[:, :, None]"
  - text: {op: linear, out: d}
  - gain: {op: param, shape: [d]}
  - image: {op: conv1d, in: pixels, out: d, kernel: 1}
  - flat: "mean(image, axis=2) * gain"
  - both: "mean(text, axis=1) @ transpose(flat, 0, 1)"
  - again: {call: text, in: flat}
outputs: {text: text, image: flat, both: both, again: again}
graphs: {text: [text], image: [image], again: [again], sum: [both, text]}
tie: {text.bias: gain}
losses:
  pairs: "mean(both)"
  weighted: {of: "mean(text) * mean(scale)", feed: {mask: "ids * 0"}}
expect: {params: 40}
"""


def part(folder: Path, name: str | None, content: str = SPEC) -> Graph:
    path = folder / "pair.yaml"
    path.write_text(content, encoding="utf-8")
    return api.lower(api.load(path, graph=name))


@pytest.mark.parametrize(
    ("name", "inputs", "owned", "losses", "dims"),
    [
        ("text", ["ids", "mask", "scale"], ["table.weight", "text.bias", "text.weight"], ["weighted"], "BS"),
        ("image", ["pixels"], ["gain", "image.bias", "image.weight"], [], "IH"),
        (
            "again",
            ["pixels"],
            ["gain", "image.bias", "image.weight", "text.bias", "text.weight"],
            [],
            "IH",
        ),
    ],
)
def test_a_part_has_what_it_needs(
    tmp_path: Path, name: str, inputs: list[str], owned: list[str], losses: list[str], dims: str
):
    graph = part(tmp_path, name)
    assert graph.name == f"pair-{name}"
    assert [value.name for value in graph.inputs] == inputs
    assert sorted(path for path, _ in parameters(graph)) == owned
    assert [loss.name for loss in graph.losses] == losses
    assert "".join(graph.dims) == dims


def test_parts_are_sound_and_read_back(tmp_path: Path):
    for name in (None, "text", "image", "again", "sum"):
        graph = part(tmp_path, name)
        verify(graph)
        assert read(text.show(graph)) == graph


def test_ties_hold_where_both_ends_are_left(tmp_path: Path):
    assert part(tmp_path, "again").ties == part(tmp_path, None).ties == (("text.bias", "gain"),)
    assert part(tmp_path, "text").ties == ()


def test_a_document_may_choose_its_part(tmp_path: Path):
    assert part(tmp_path, None, f"{SPEC}graph: image\n") == part(tmp_path, "image")


def test_the_resolved_document_means_the_same_part(tmp_path: Path):
    path = tmp_path / "alone.yaml"
    graph = part(tmp_path, "text")
    path.write_text(api.show(api.load(tmp_path / "pair.yaml", graph="text"), "resolved"), encoding="utf-8")
    assert text.show(api.lower(path)) == text.show(graph)


def test_facts_of_parts_are_checked(tmp_path: Path):
    path = tmp_path / "pair.yaml"
    path.write_text(SPEC.replace("{params: 40}", "{graphs: {text: {params: 41}, other: {params: 1}}}"))
    with pytest.raises(ArchspecError) as error:
        api.check(path)
    assert sorted(found.code for found in error.value.diagnostics) == ["E001", "E002"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("image: [image]", "image: [imag]", "L060"),
        ("image: [image]", "image: []", "L060"),
        ("image: [image]", "class: [image]", "S004"),
        ("image: [image]", "image: image", "S003"),
        ("expect", "graph: nothing\nexpect", "S022"),
        ("image: flat", "image: {of: flat, when: d > 4}", "L061"),
    ],
)
def test_wrong_parts_are_found(tmp_path: Path, old: str, new: str, code: str):
    name = "image" if code == "L061" else None
    with pytest.raises(ArchspecError) as error:
        part(tmp_path, name, SPEC.replace(old, new))
    (found,) = error.value.diagnostics
    assert (found.code, found.span is not None) == (code, True)
