"""Finding a part by its path, and saying where it comes from."""

from pathlib import Path

import pytest

from archspec.errors import ArchspecError
from archspec.ir.graph import Graph, parameters
from archspec.lowering.lower import lower
from archspec.resolve import load
from archspec.views.find import find
from archspec.views.why import why
from archspec.weights.of_spec import map_of
from tests.cli.runner import written

LAYERS = """\
archspec: 1
name: layers
params: {dim: 4}
inputs: {x: "float[B, S, dim]"}
model:
  - first: {op: linear, in: x, out: dim}
  - again: {call: first}
  - h:
      repeat: 3
      vary: {up.bias: {at: {1: false}, else: true}}
      body: [{up: {op: linear, out: dim, init: normal(0.5)}}]
  - same: {repeat: 2, shared: true, body: [{norm: layernorm}]}
  - last: "h + again"
outputs: {y: last}
"""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return lower(load(written(tmp_path_factory.mktemp("spec"), LAYERS)))


@pytest.mark.parametrize("name", ["gpt2", "bert", "t5"])
def test_every_parameter_is_found_by_its_path(name: str):
    model = lower(load(name))
    for path, param in parameters(model):
        found = find(model, path)
        assert (found.part, found.path) == (param, path)
        assert found.spans


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("h.*.up", "h.0.up"),
        ("h.1.up", "h.1.up"),
        ("h.*.up.bias", "h.0.up.bias"),
        ("h", "h.0"),
        ("same.1.norm", "same.1.norm"),
        ("last", "last"),
    ],
)
def test_a_star_is_the_first_layer_that_fits(graph: Graph, path: str, found: str):
    assert find(graph, path).path == found


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("h.3.up", "there is no layer '3' in 'h' of the model", "layers run from 0 to 2; '*' is any"),
        ("h.1.up.bias", "there is no 'bias' in 'h.1.up'", "there is: weight"),
        ("frist.weight", "there is no 'frist' in the model", "did you mean 'first'?"),
        ("", "there is no '' in the model", None),
    ],
)
def test_what_is_not_there_is_named_with_what_is(graph: Graph, path: str, message: str, hint: str | None):
    with pytest.raises(ArchspecError) as error:
        find(graph, path)
    (found,) = error.value.diagnostics
    assert (found.code, found.message) == ("X003", message)
    assert hint is None or (found.hint or "").startswith(hint)


def facts(graph: Graph, path: str) -> dict[str, list[str]]:
    known: dict[str, list[str]] = {}
    for name, text in why(graph, path).facts:
        known.setdefault(name, []).append(text)
    return known


def test_a_parameter_has_shape_start_and_places(graph: Graph):
    known = facts(graph, "h.*.up.weight")
    assert known["shape"] == ["[dim, dim] = [4, 4]"]
    assert known["size"] == ["16 numbers"]
    assert known["starts"] == ["normal(mean 0.0, std 0.5)"]
    assert known["one of"] == ["3 layers 'h'"]
    lines = [span.line for span in why(graph, "h.*.up.weight").spans]
    assert lines == [8, 11]


def test_sharing_is_told(graph: Graph):
    assert facts(graph, "same.*.norm.weight")["one of"] == ["2 layers 'same', all with the same weights"]


def test_positions_are_told():
    known = facts(lower(load("lstm")), "layers.0.cell.again.weight")
    assert known["runs"] == ["once at each of S positions of axis 1"]


def test_a_value_is_told_by_what_makes_it(graph: Graph):
    assert facts(graph, "last") == {"type": ["float[B, S, dim]"], "made by": ["arith"]}
    assert facts(graph, "x")["made by"] == ["the caller"]


def test_ties_and_hub_names_are_told():
    spec = load("gpt2")
    model = lower(spec)
    owner = dict(why(model, "wte.weight", map_of(spec, model, "hf")).facts)
    assert (owner["tied"], owner["hub"]) == ("lm_head.weight is this parameter", "transformer.wte.weight")
    alias = dict(why(model, "lm_head.weight", map_of(spec, model, "hf")).facts)
    assert alias["tied"] == "is wte.weight, and counted there"


def test_the_text_shows_the_line_of_the_spec(tmp_path: Path):
    path = written(tmp_path, LAYERS)
    text = str(why(lower(load(path)), "first"))
    assert f"  from       {path}:6:5  - first: {{op: linear, in: x, out: dim}}\n" in text
