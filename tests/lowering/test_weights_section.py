"""The `weights` section with its expressions computed."""

from typing import Any

import pytest

from archspec.errors import Source, SpecError
from archspec.lowering.weights_section import WeightsSection, read_section
from archspec.spec.spec import read_spec
from archspec.spec.yaml import load_text

HEAD = """\
archspec: 1
name: m
params: {dim: 4, heads: 2, gated: true, kind: fast, sizes: [1, 2*heads]}
inputs: {x: "float[B, S]"}
model: [{y: "x + 1"}]
outputs: {y: y}
weights:
  hf:
"""


def read(text: str) -> WeightsSection:
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return read_section(read_spec(load_text(Source("test", HEAD + lines))), "hf")


def refused(text: str) -> list[tuple[str, int, int]]:
    with pytest.raises(SpecError) as error:
        read(text)
    return [(d.code, d.span.line, d.span.column) for d in error.value.diagnostics if d.span]


CHOSEN = """'"gated-gelu" if gated else "relu"'"""
CASES: list[tuple[str, Any]] = [
    ("config: {a: dim, b: 2*dim + 1, c: gelu_new, d: kind}", {"a": 4, "b": 9, "c": "gelu_new", "d": "fast"}),
    ("config: {e: sizes, f: [1, heads], g: gated}", {"e": [1, 4], "f": [1, 2], "g": True}),
    (f"config: {{a: {CHOSEN}, b: null, c: 1e-5}}", {"a": "gated-gelu", "b": None, "c": 1e-5}),
    ("config: {a: {to: 1, when: gated}, b: {to: 1, when: not gated}}", {"a": 1}),
    ("config: {c: {d: dim}}", {"c": {"d": 4}}),
    ('class: \'"A" if gated else "B"\'', "A"),
    ("base_prefix: kind", "fast"),
    ("rename: {a.*.b: c.*.d, kind: kind}", {"a.*.b": "c.*.d", "kind": "kind"}),
    ("rename: {e: {to: f, when: gated}, g: {to: h, when: dim == 3}}", {"e": "f"}),
    ('segments: {up: \'"wi_1" if gated else "wi"\', when: then}', {"up": "wi_1", "when": "then"}),
    ("ignore: [a.b, {to: c, when: gated}, {to: d, when: not gated}]", ["a.b", "c"]),
    (
        "split: {q: {into: [a, kind], sizes: [heads*2, 1], when: gated}}",
        {"q": {"into": ["a", "kind"], "sizes": [4, 1]}},
    ),
    ("split: {q: {into: [a, b], when: not gated}}", {}),
    ("rope: {q: {head_dim: dim//heads, hub: half}}", {"q": {"head_dim": 2, "hub": "half"}}),
    ("reshape: {a: [heads, -1]}", {"a": [2, -1]}),
]


@pytest.mark.parametrize(("text", "value"), CASES, ids=[text for text, _ in CASES])
def test_values_are_computed_and_names_are_not(text: str, value: Any):
    assert list(read(text).plain.values()) == [value]


def test_parts_know_their_places():
    spans = read("rename:\n  a.*.b: c\n  d: e\nignore: [f, g]").spans
    assert {path: (span.line, span.column) for path, span in spans.items()} == {
        "rename": (9, 5),
        "rename.a.*.b": (10, 7),
        "rename.d": (11, 7),
        "ignore": (12, 5),
        "ignore.0": (12, 14),
        "ignore.1": (12, 17),
    }


def test_every_finding_is_collected_with_its_place():
    text = "config:\n  a: dmi*2\n  b: 1 +\n  c: gated-gelu\nrename:\n  d: {to: e, when: dim}"
    assert refused(text) == [("N001", 10, 10), ("N010", 11, 12), ("N001", 12, 16), ("S003", 14, 24)]


def test_a_text_that_is_no_expression_says_how_to_write_it():
    with pytest.raises(SpecError, match="""write '"fast-er"'"""):
        read("config: {a: fast-er}")


def test_a_missing_section_names_those_there_are():
    spec = read_spec(load_text(Source("test", HEAD + "    class: A\n")))
    with pytest.raises(SpecError, match="sections here: hf") as error:
        read_section(spec, "diffusers")
    assert [found.code for found in error.value.diagnostics] == ["W050"]
