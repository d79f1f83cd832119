"""Graphs as text: they read back the same, byte for byte."""

import inspect
import textwrap
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import fields

from archspec.dims import num as n
from archspec.dims.expr import Literal
from archspec.dims.num import Num
from archspec.dims.parse import parse
from archspec.errors import VerifyError
from archspec.ir import text as module
from archspec.ir.graph import Apply, Graph, Region, Value
from archspec.ir.op import Op
from archspec.ir.ops import REGISTRY
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.source import Full
from archspec.ir.text import read, show
from archspec.ir.types import DTYPES, TensorType
from archspec.ir.verify import verify
from tests.ir.cases import LARGE
from tests.ir.cases_small import SMALL
from tests.ir.graphs import graphs
from tests.ir.sample import SAMPLE


def returns(text: str) -> bool:
    """Whether the graph of a text comes back from its own text."""
    graph = read(text)
    return read(show(graph)) == graph and show(graph) == text


def single(
    *nodes: Apply, inputs: tuple[Value, ...] = (), bindings: tuple[tuple[str, Num], ...] = ()
) -> Graph:
    root = Region("", "net", inputs, (), nodes, bindings=bindings)
    return Graph("net", "", "", ("B", "S"), "S", root, None, (), (), ())


@given(graphs())
def test_a_graph_reads_back_identical(graph: Graph):
    text = show(graph)
    assert read(text) == graph
    assert show(read(text)) == text


@given(graphs())
def test_the_graphs_of_these_tests_are_valid(graph: Graph):
    verify(graph)


def test_the_sample_is_valid_and_says_itself():
    assert show(read(SAMPLE)) == SAMPLE
    verify(read(SAMPLE))


def test_the_example_in_the_docstring_is_itself():
    doc = inspect.getdoc(module) or ""
    text = textwrap.dedent(doc[doc.index("    graph tiny") : doc.index("A number is")]).rstrip() + "\n"
    assert show(read(text)) == text
    verify(read(text))


@pytest.mark.parametrize("op", {repr(c.op): c.op for c in (*LARGE, *SMALL)}.values(), ids=lambda op: op.name)
def test_every_operation_reads_back_with_its_attributes(op: Op):
    graph = single(Apply(op, (), ()))
    text = show(graph)
    assert read(text) == graph
    assert show(read(text)) == text


def test_all_operations_are_among_those():
    assert {type(c.op) for c in (*LARGE, *SMALL)} == set(REGISTRY.values())


def test_every_field_of_an_operation_is_written():
    for case in (*LARGE, *SMALL):
        shown = show(single(Apply(case.op, (), ())))
        unset = {f.name for f in fields(type(case.op)) if f.default is None}
        given = [name for name, value in case.op.attributes() if value is not None or name not in unset]
        assert all(f"{name} = " in shown for name in given)


def test_an_attribute_that_is_null_unless_given_is_left_out():
    op = Attention(n.num(1), None, n.num(0), (), (), None, n.num(0))
    assert "score" not in show(single(Apply(op, (), ())))
    assert "softcap = null" in show(single(Apply(op, (), ())))
    scored = structs.replace(op, score=parse("-abs(q - k)"))
    assert "score = -abs(q - k)" in show(single(Apply(scored, (), ())))


@pytest.mark.parametrize(
    "mask", [None, Literal(None), parse("k <= q"), parse("keep[b, k]"), parse("x[0:q, ...]")]
)
def test_a_mask_that_is_null_is_not_an_absent_one(mask: object):
    op = Attention(n.num(1), mask, n.num(0), (), (), None, n.num(0))  # type: ignore[arg-type]  # an expression
    (node,) = read(show(single(Apply(op, (), ())))).root.nodes
    assert node == Apply(op, (), ())
    assert isinstance(node, Apply)
    assert isinstance(node.op, Attention)
    assert (node.op.mask is None) == (mask is None)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_has_a_spelling(dtype: str):
    value = Value("x", TensorType(dtype, (n.symbol("B"),)))
    assert read(show(single(inputs=(value,)))).inputs == (value,)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (n.num(3), "value = 3,"),
        (n.num(3.0), "value = 3.0,"),
        (n.num(float("-inf")), "value = -inf,"),
        (n.named("width", 8), "value = width,"),
        (n.named("width", 8.0), "value = width = 8.0,"),
        (n.named("width", 9), "value = width = 9,"),
        (n.named("other", 9), "value = other = 9,"),
        (4 * n.named("width", 8), "value = 4 * width,"),
        (n.symbol("B") * n.named("width", 8), "value = B * width,"),
        (n.named("other", 1) * n.symbol("B"), "value = other * B = B,"),
        (n.symbol("T") + n.symbol("S") // 2, "value = T + S // 2 = S // 2 + T,"),
        (Num(8, parse("[1, width][1]")), "value = [1, width][1],"),
        (Num(8, parse("width if width == 8 else 0")), "value = width if width == 8 else 0,"),
    ],
)
def test_a_number_is_written_with_its_value_where_it_must_be(number: Num, written: str):
    full = Full((), number)
    graph = single(Apply(full, (), ()), bindings=(("width", n.num(8)),))
    text = show(graph)
    assert written in text
    again = read(text)
    assert again == graph
    assert show(again) == text
    (node,) = again.root.nodes
    assert isinstance(node, Apply)
    assert isinstance(node.op, Full)
    assert type(node.op.value.value) is type(number.value)


def test_a_binding_that_names_itself_is_written_as_its_value():
    assert "  let width = 8\n" in show(single(bindings=(("width", n.named("width", 8)),)))


def test_bindings_see_those_before_them():
    wide = ("wide", n.named("width", 8) * 4)
    width = ("width", n.num(8))
    assert "  let wide = width * 4\n" in show(single(bindings=(width, wide)))
    assert "  let wide = width * 4 = 32\n" in show(single(bindings=(wide, width)))


def test_a_binding_of_a_number_in_brackets_is_no_list():
    graph = single(
        bindings=(("a", Num(2, parse("[1, 2][1]"))), ("b", Num(3, parse('3 if "x" == "x" else 4'))))
    )
    text = show(graph)
    assert "let a = ([1, 2][1])\n" in text
    assert read(text) == graph
    assert show(read(text)) == text


def test_words_that_are_no_words_are_quoted():
    value = Value("a b", TensorType("float", ()))
    graph = replace(single(inputs=(value,)), name="1", outputs=(("", value), ("%", value)))
    text = show(graph)
    assert 'graph "1"\n' in text
    assert 'input %"a b": float[]\n' in text
    assert 'output "" = %"a b"\n' in text
    assert read(text) == graph


@given(st.text())
def test_any_text_is_carried(summary: str):
    graph = replace(single(), summary=summary, source=summary)
    assert read(show(graph)) == graph


def test_a_module_called_shared():
    text = SAMPLE.replace("call linear up(", "call linear shared(").replace(
        "shared linear up(", "shared linear shared("
    )
    assert returns(text.replace("tie h.0.w = scale\n", ""))
    text = SAMPLE.replace("call linear down(", 'call "shared" down(').replace("repeat h(", 'repeat "shared"(')
    assert returns(text.replace("tie h.0.w = scale\n", ""))


def test_a_use_unlike_its_definition_is_written_with_its_type():
    x = Value("x", TensorType("float", (n.symbol("B"),)))
    other, unknown = replace(x, optional=True), Value("z", x.type)
    graph = replace(single(inputs=(x,)), outputs=(("a", x), ("b", other), ("c", unknown)))
    text = show(graph)
    assert "output a = %x\noutput b = %x?: float[B]\noutput c = %z: float[B]\n" in text
    assert read(text) == graph


def test_the_body_of_a_second_call_is_left_out_only_where_it_is_the_same():
    assert SAMPLE.count("call shared linear up") == 1
    other = SAMPLE.replace(
        "%up_2 = call shared linear up(%down) : float[B, S, wide]\n",
        "%up_2 = call shared linear up(%down) : float[B, S, wide]\n    return\n",
    )
    assert returns(other)
    assert read(other) != read(SAMPLE)


def test_an_unknown_dtype_is_shown_but_not_read():
    text = show(single(inputs=(Value("x", TensorType("float8", ())),)))
    with pytest.raises(VerifyError, match="I009 unknown dtype 'float8'"):
        read(text)


def test_blank_lines_and_comments_do_not_matter():
    text = "# a note\n\n" + SAMPLE.replace("\n", "\n\n").replace("  %held", "  # kept\n\n  %held")
    assert read(text) == read(SAMPLE)


def test_spaces_inside_a_line_do_not_matter():
    assert read(SAMPLE.replace(", %", " ,  %").replace(" : ", ":").replace("(%", "( %")) == read(SAMPLE)


def test_a_text_may_say_a_default_by_leaving_it_out():
    text = SAMPLE.replace("{eps = 1e-06, offset = 0, cast = before}", "{eps = 1e-06, offset = 0}")
    assert read(text) == read(SAMPLE)


def test_schedules_are_run_length_coded():
    text = SAMPLE.replace("times 4 :", "times 6 :").replace("schedule 0*3 1", "schedule 0 1 0 0 1*2")
    assert "schedule 0 1 0*2 1*2\n" in show(read(text))


def test_a_finding_names_the_source_it_is_in():
    with pytest.raises(VerifyError, match=r"^snapshot\.ir:1:1: I008"):
        read("", "snapshot.ir")
