"""The page of codes: what its examples of documents say is what happens."""

import pytest

from archspec.errors import ArchspecError, Collector, Diagnostic, Source
from archspec.explain import codes
from archspec.lowering.lower import lower
from archspec.spec.node import Mapping
from archspec.spec.patch_edit import overlay
from archspec.spec.spec import read_spec
from archspec.spec.yaml import load_text
from tests.test_explain import examples

AROUND = """\
archspec: 1
name: example
params: {hidden_size: 8, num_layers: 2}
inputs: {x: "[B, S, hidden_size]", input_ids: "int64[B, S]"}
model: [{out: {op: linear, in: x, out: 8}}]
outputs: {y: out}
"""
# What a caller asks for, or what is in no document.
WITHOUT_EXAMPLE = {"S020", "S901"}


def findings(example: str) -> tuple[Diagnostic, ...]:
    """The findings of an example: its sections in place of those of a whole document."""
    below, above = load_text(Source("around.yaml", AROUND)), load_text(Source("example.yaml", example))
    assert isinstance(below, Mapping)
    assert isinstance(above, Mapping)
    found = Collector()
    try:
        lower(read_spec(overlay(below, above), found=found), found)
    except ArchspecError as error:
        return error.diagnostics
    return ()


@pytest.mark.parametrize(("code", "kind", "text"), examples("SL"))
def test_an_example_does_what_it_says(code: str, kind: str, text: str):
    assert {found.code for found in findings(text)} == ({code} if kind == "Wrong" else set())


def test_every_code_of_the_language_has_a_wrong_example_and_a_right_one():
    kinds = {
        code: [kind for other, kind, _ in examples("SL") if other == code]
        for code in codes()
        if code[0] in "SL"
    }
    assert {code for code, shown in kinds.items() if shown != ["Wrong", "Right"]} == WITHOUT_EXAMPLE
