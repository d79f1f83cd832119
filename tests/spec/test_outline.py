"""A document is judged against the models, node by node; what passes is what the models themselves take."""

from __future__ import annotations

import pytest
from hypothesis import given

from archspec import api, library
from archspec.errors import ArchspecError, Collector
from archspec.spec.json_models import pydantic_model
from archspec.spec.models import Document
from archspec.spec.node import Mapping, plain
from archspec.spec.spec import read_spec
from archspec.spec.yaml import load_text
from tests.spec.marked import source
from tests.spec.mutate import mutated_trees


@pytest.mark.parametrize("name", library.names())
def test_the_models_take_every_spec(name: str):
    node = api.load(name).node
    pydantic_model(Document).model_validate(plain(node))


@given(mutated_trees())
def test_what_has_no_findings_the_models_take(text: str):
    try:
        node = load_text(source(text))
    except ArchspecError:
        return
    if not isinstance(node, Mapping) or node.key("extends"):
        return
    found = Collector()
    read = read_spec(node, found=found)
    if not found.diagnostics:
        pydantic_model(Document).model_validate(plain(read.node))
