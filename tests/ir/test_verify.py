"""The rules of a graph: each is broken once, and found; what is not broken passes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num
from archspec.errors import Source, Span, VerifyError
from archspec.ir import verify as module
from archspec.ir.graph import Apply, Call, Graph, Node, Region, Repeat, Value
from archspec.ir.ops.elementwise import Map
from archspec.ir.text import read
from archspec.ir.types import TensorType
from archspec.ir.verify import verify
from tests.ir.broken import BROKEN
from tests.ir.graphs import graphs
from tests.ir.sample import SAMPLE, edited
from tests.ir.test_text_errors import broken, finding
from tests.ir.types import f

_WHERE = re.compile(r"^(I\d{3}) in '[^']*': ")


def findings(graph: Graph) -> list[str]:
    """Code and message of everything that is wrong."""
    try:
        verify(graph)
    except VerifyError as error:
        return [f"{found.code} {found.message}" for found in error.diagnostics]
    return []


def rooted(graph: Graph, **changes: object) -> Graph:
    return replace(graph, root=replace(graph.root, **changes))


@pytest.mark.parametrize(("changes", "expected"), BROKEN, ids=[expected[0] for _, expected in BROKEN])
def test_a_broken_rule_is_found(changes: list[tuple[str, str]], expected: list[str]):
    found = [_WHERE.sub(r"\1 ", line) for line in findings(read(edited(*changes)))]
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


def test_every_rule_is_broken_above_or_below():
    source = "".join(path.read_text() for path in Path(module.__file__).parent.glob("verify*.py"))
    rules = set(re.findall(r'"(I\d{3})"', source))
    elsewhere = {"I109", "I124"}  # which follows from I107, and is broken in test_along.py
    assert rules - {expected[0][:4] for _, expected in BROKEN} == elsewhere
    assert rules == set(re.findall(r"I1\d\d", verify.__doc__ or ""))


def test_all_findings_come_together():
    text = edited(("times 4 :", "times 5 :"), ("output wide", "output class"), ("tie h.0.w", "tie h.9.w"))
    assert [line[:4] for line in findings(read(text))] == ["I110", "I112"]  # ties need a sound schedule
    text = edited(("output wide", "output class"), ("tie h.0.w", "tie h.9.w"))
    assert [line[:4] for line in findings(read(text))] == ["I112", "I116"]


def test_a_finding_says_where_it_is():
    span = Span(Source("net.yaml", "text"), 3, 5, 3, 9)
    graph = read(SAMPLE)
    nodes = tuple(replace(node, span=span) if isinstance(node, Repeat) else node for node in graph.root.nodes)
    (layer,) = (node for node in nodes if isinstance(node, Repeat))
    wrong = replace(layer, schedule=(0, 0, 0, 2))
    with pytest.raises(VerifyError, match=r"^net.yaml:3:5: I110 the schedule of 'h'"):
        verify(rooted(graph, nodes=tuple(wrong if node is layer else node for node in nodes)))


def test_a_finding_inside_modules_names_their_path():
    text = edited(("{eps = 1e-06,", "{eps = tiny = 1e-06,"))
    assert findings(read(text))[0].startswith("I117 in 'h.*0': a number of rms_norm")


def test_an_unknown_dtype():
    value = Value("x", TensorType("float8", (n.symbol("B"),)))
    graph = rooted(read(SAMPLE), inputs=(value,))
    assert "I122 input 'x' has the unknown dtype 'float8'" in findings(graph)


def test_an_operand_of_unknown_dtype_is_refused():
    x = Value("x", TensorType("float8", ()))
    root = Region("", "net", (x,), (), (Apply(Map("exp"), (x,), (Value("y", x.type),)),))
    graph = Graph("g", "", "", (), None, root, None, (), (), ())
    assert [line[:9] for line in findings(graph)] == ["I122 inpu", "I103 map:", "I122 valu"]


def test_a_shared_call_with_other_parameters():
    graph = read(SAMPLE)
    nodes = list(graph.root.nodes)
    at = next(i for i, node in enumerate(nodes) if isinstance(node, Call) and node.shared)
    call = nodes[at]
    assert isinstance(call, Call)
    param = replace(call.region.params[0], trainable=False)
    nodes[at] = replace(call, region=replace(call.region, params=(param,)))
    assert findings(rooted(graph, nodes=tuple(nodes))) == [
        "I121 'up' is shared, but has other parameters than before"
    ]


def test_a_shared_call_may_take_other_sizes():
    lines = ["graph g", 'summary ""', 'source ""', "dims B, S", "root net g"]
    lines += ["  input %x: float[B, 8]", "  input %y: float[S, 8]"]
    for result, given_, size, word in (("a", "x", "B", ""), ("b", "y", "S", "shared ")):
        lines += [f"  %{result} = call {word}linear up(%{given_}) : float[{size}, 4]"]
        lines += [f"    input %x: float[{size}, 8]", "    param %w: float[4, 8] = constant(0)"]
        lines += [f"    %y = linear(%x, %w) : float[{size}, 4]", "    return %y"]
    assert findings(read("\n".join([*lines, "  return %a, %b"]))) == []


def test_a_repeat_of_no_layers_gives_what_it_takes():
    x = Value("x", f("B"))
    y = Value("y", f("B"))
    root = Region("", "net", (x,), (y,), (Repeat("h", (), (), n.num(0), (x,), (y,)),))
    assert findings(Graph("g", "", "", ("B",), None, root, None, (), (), ())) == []


def test_a_default_is_there_for_the_model_but_not_for_the_caller():
    text = edited(
        ("input %positions: i64[B, S]", "input %positions?: i64[B, S]"), ("up(%scaled)", "up(%positions)")
    )
    assert [line[:4] for line in findings(read(text))] == ["I107"]


def test_past_means_something_only_where_something_streams():
    text = SAMPLE.replace("stream S\n", "")
    found = finding(text)
    assert found is not None
    assert found.message == "unknown name 'past'"
    graph = replace(read(SAMPLE), stream=None)
    assert (
        "I118 a size of input 'mask' depends on 'past', which is no run-time size of the graph"
        in findings(graph)
    )


def test_an_argument_may_have_the_name_and_value_of_one_around():
    again = "    let width = width\n    let out = wide\n"
    assert findings(read(edited(("    let out = wide\n", again)))) == []
    other = "    let width = width = 9\n    let out = wide\n"
    found = findings(read(edited(("    let out = wide\n", other))))
    assert "I117 in 'up': binding 'width' is 9, but its writing 'width' says 8" in found


@given(graphs())
def test_valid_graphs_pass(graph: Graph):
    assert findings(graph) == []


_OTHER = st.sampled_from((n.num(3), n.symbol("B") + 1, n.num(5)))


def retyped(node: Node, size: Num) -> Node:
    first, *others = node.outputs
    shape = (*first.type.shape, size)
    return replace(node, outputs=(replace(first, type=first.type.with_shape(*shape)), *others))


@given(graphs(), st.data())
def test_a_wrong_result_type_is_found(graph: Graph, data: st.DataObject):
    nodes = list(graph.root.nodes)
    at = data.draw(st.sampled_from([i for i, node in enumerate(nodes) if node.outputs]))
    nodes[at] = retyped(nodes[at], data.draw(_OTHER))
    assert findings(rooted(graph, nodes=tuple(nodes)))


@given(graphs(), st.data())
def test_a_node_that_is_missing_is_found(graph: Graph, data: st.DataObject):
    nodes = list(graph.root.nodes)
    read_later = {v.name for node in nodes for v in node.inputs if v} | {v.name for v in graph.root.outputs}
    at = data.draw(st.integers(0, len(nodes) - 1))
    assume(any(v.name in read_later for v in nodes[at].outputs))
    del nodes[at]
    assert any(line.startswith("I101") for line in findings(rooted(graph, nodes=tuple(nodes))))


@given(graphs(), _OTHER)
def test_a_binding_that_changes_under_its_readers_is_found(graph: Graph, number: Num):
    bindings = tuple((name, number if name == "width" else v) for name, v in graph.root.bindings)
    assert any(line.startswith("I117") for line in findings(rooted(graph, bindings=bindings)))


@given(broken())
def test_any_graph_that_reads_is_verified_or_refused(text: str):
    if finding(text) is None:
        assert all(re.match(r"I1\d\d ", line) for line in findings(read(text)))


def test_symbols_of_a_quotient_are_found():
    size = n.symbol("Z") // 2
    assert isinstance(size.value, poly.Poly)
    graph = rooted(read(SAMPLE), inputs=(*read(SAMPLE).root.inputs, Value("z", TensorType("float", (size,)))))
    assert [line[:4] for line in findings(graph)] == ["I118", "I117"]
