"""Graphs as text: they read back the same, byte for byte."""

import inspect
import textwrap
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.errors import VerifyError
from archspec.ir import text as module
from archspec.ir.graph import Graph
from archspec.ir.text import read, show
from archspec.ir.verify import verify
from tests.ir.graphs import graphs


@given(graphs())
def test_a_graph_reads_back_identical(graph: Graph):
    text = show(graph)
    assert read(text) == graph
    assert show(read(text)) == text


@given(graphs())
def test_the_graphs_of_these_tests_are_valid(graph: Graph):
    verify(graph)
