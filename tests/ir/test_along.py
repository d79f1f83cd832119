"""A call at each position of an axis: what its text says, which rules it keeps, and what trimming leaves."""

import pytest

from archspec.errors import VerifyError
from archspec.ir.along import Along
from archspec.ir.graph import Call, Graph, parameters, walk
from archspec.ir.text import read, show
from archspec.ir.verify import verify
from archspec.lowering.passes.trim import trim

TEXT = """\
graph cell
summary ""
source ""
dims B, S

root cell cell
  let d = 8
  input %x: float[B, S, d]
  param %scale: float[d] = constant(1.0)
  %h = full() {shape = [B, d], value = 0.0, dtype = float} : float[B, d]
  %last, %all = recur axis 1 carry 1 cut 2 cell sub(%h, %x, %x, %scale) : float[B, d], float[B, S, 1, d]
    input %h: float[B, d]
    input %x: float[B, d]
    input %again: float[B, d]
    input %scale: float[d]
    param %w: float[d] = constant(1.0)
    %n = arith(%h, %x) {fn = add} : float[B, d]
    %m = arith(%n, %w) {fn = mul} : float[B, d]
    %o = reshape(%m) {shape = [B, 1, d]} : float[B, 1, d]
    return %m, %o
  %y, %z = recur axis 1 carry 1 cut 2 shared cell sub(%last, %x, %x, %scale) : float[B, d], float[B, S, 1, d]
  return %y, %z

output last = %y
output all = %z
"""
BROKEN = [
    (
        "carry 1 cut 2 cell",
        "carry 1 cut 0 cell",
        "I124 'sub' carries 1 values and cuts 0 along axis 1 of float[B",
    ),
    ("carry 1 cut 2 cell", "carry 0 cut 3 cell", "I124 'sub' carries 0 values"),
    ("carry 1 cut 2 cell", "carry 1 cut 9 cell", "I124 'sub' carries 1 values and cuts 9"),
    (
        "axis 1 carry 1 cut 2 cell",
        "axis 3 carry 1 cut 2 cell",
        "I124 'sub' carries 1 values and cuts 2 along axis 3",
    ),
    ("float[B, S, 1, d]\n    input", "float[B, 5, 1, d]\n    input", "I124 'sub' carries 1 values"),
    ("float[B, S, 1, d]\n    input", "float[B, S, 2, d]\n    input", "I108 'sub' gives float[B, 1, d]"),
    ("return %m, %o", "return %o, %o", "I124 'sub' carries float[B, d] along an axis, but gives float[B, 1"),
    ("sub(%h, %x, %x", "sub(%scale, %x, %x", "I107 'sub' takes 'h' as float[B, d], not float[d]"),
    ("input %again: float[B, d]", "input %again?: float[B, d]", "I124 'sub' carries or cuts what may"),
    (
        "    %n = arith(%h, %x) {fn = add} : float[B, d]\n",
        "    state s hold(float[B, d]) axis 0\n    %n = hold(%x) {state = s} : float[B, d]\n",
        "I124 'sub' runs along an axis, but keeps state from step to step",
    ),
]


def calls(graph: Graph) -> list[Call]:
    return [node for node in graph.root.nodes if isinstance(node, Call)]


def test_it_reads_back():
    graph = read(TEXT)
    verify(graph)
    assert show(graph) == TEXT
    first, second = calls(graph)
    assert first.along == second.along == Along(axis=1, carried=1, cut=2)
    assert (first.shared, second.shared) == (False, True)
    assert str(first.runs) == "S"
    assert first.own == 3


def test_its_parameters_are_there_once():
    graph = read(TEXT)
    assert [name for name, _ in parameters(graph)] == ["scale", "sub.w"]
    assert [(path, times) for path, _, times in walk(graph.root)] == [("", 1), ("sub", 1)]


@pytest.mark.parametrize(("old", "new", "message"), BROKEN, ids=[case[2][:40] for case in BROKEN])
def test_a_broken_rule_is_found(old: str, new: str, message: str):
    assert TEXT.count(old) == 1
    with pytest.raises(VerifyError) as caught:
        verify(read(TEXT.replace(old, new)))
    found = [f"{d.code} {d.message}" for d in caught.value.diagnostics]
    assert any(one.startswith(message) for one in found), found


@pytest.mark.parametrize("wrong", ["recur carry 1 axis 1 cut 2", "recur axis x carry 1 cut 2", "recur cell"])
def test_a_head_that_says_something_else(wrong: str):
    with pytest.raises(VerifyError, match="I001"):
        read(TEXT.replace("recur axis 1 carry 1 cut 2 cell", f"{wrong} cell"))


def test_what_no_position_reads_is_not_handed_in():
    """But for what is carried, and for one value that tells how many positions there are."""
    graph = trim(read(TEXT.replace("arith(%h, %x)", "arith(%h, %h)")))
    verify(graph)
    first, second = calls(graph)
    assert first.along == second.along == Along(axis=1, carried=1, cut=1)
    assert [value.name for value in first.inputs] == ["h", "x"]
    assert [value.name for value in first.region.inputs] == ["h", "x"]
