"""Building graphs region by region."""

from collections.abc import Sequence

import pytest

from archspec.dims import num as n
from archspec.errors import Source, Span
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.graph import Call, Graph, Init, Region, Repeat
from archspec.ir.ops.contract import Linear
from archspec.ir.ops.elementwise import Arith, Map
from archspec.ir.ops.shape import Split
from archspec.ir.text import read, show
from archspec.ir.types import ShapeError
from archspec.ir.verify import verify
from tests.ir.types import f, sizes

ZEROS = Init("constant", n.num(0))


def checked(root: Builder, *outputs: Handle) -> Region:
    """The region, found valid as the root of a graph."""
    region = root.region(outputs)
    named = tuple((f"out_{i}", handle.value) for i, handle in enumerate(outputs))
    graph = Graph("g", "", "", ("B", "S"), None, region, None, named, (), ())
    verify(graph)
    assert read(show(graph)) == graph
    return region


def doubled(b: Builder, given: Results) -> Sequence[Handle]:
    return [b.apply(Arith("add"), given[0], given[0])]


def test_values_of_one_name_are_numbered():
    root = Builder("", "net")
    x = root.input("x", f("B"))
    results = [root.apply(Map("exp"), x, name=name) for name in ("x", "x", "a b", "a.b")]
    assert [h.value.name for h in results] == ["x_2", "x_3", "a_b", "a_b_2"]
    checked(root, *results)


def test_operations_are_checked_when_they_are_placed():
    root = Builder("", "net")
    with pytest.raises(ShapeError) as error:
        root.apply(Linear(), root.input("x", f("B", 8)), root.param("w", sizes(4, 9), ZEROS))
    assert error.value.code == "T001"


def test_an_operation_with_more_results():
    root = Builder("", "net")
    a, b = root.results(Split(0, sizes(2, 3)), root.input("x", f(5)), names=("a", "b"))
    assert [h.value.name for h in (a, b)] == ["a", "b"]
    assert checked(root, a, b).outputs == (a.value, b.value)


@pytest.mark.parametrize("size", [0, -1, "S"])
def test_a_parameter_has_positive_sizes(size: int | str):
    with pytest.raises(ShapeError) as error:
        Builder("", "net").param("w", sizes(size), ZEROS)
    assert error.value.code == "T012"


def test_a_parameter_stands_once():
    root = Builder("", "net")
    root.param("w", sizes(2), ZEROS)
    with pytest.raises(ShapeError, match="'w' is another value here already"):
        root.param("w", sizes(2), ZEROS)


def test_states_have_names_of_their_own():
    root = Builder("", "net")
    assert [root.state("hold", (f("B"),)) for _ in range(3)] == ["hold", "hold_2", "hold_3"]


def test_what_a_region_uses_from_outside_becomes_an_input():
    root = Builder("", "net")
    x, y = root.input("x", f("B")), root.input("y", f("B"))

    def body(b: Builder, given: Results) -> Sequence[Handle]:
        inner = b.call("inner", "block", given, lambda c, own: [c.apply(Arith("mul"), own[0], y)])
        return [b.apply(Arith("add"), inner[0], y)]

    region = checked(root, *root.call("outer", "block", [x], body))
    (outer,) = region.nodes
    assert isinstance(outer, Call)
    assert [v.name for v in outer.inputs] == ["x", "y"]
    (inner, _) = outer.region.nodes
    assert isinstance(inner, Call)
    assert [v.name for v in inner.region.inputs] == ["x", "y"]


def test_a_value_from_nowhere_is_a_fault_of_the_caller():
    stranger = Builder("", "other").input("x", f("B"))
    with pytest.raises(AssertionError, match="belongs to no region"):
        Builder("", "net").apply(Map("exp"), stranger)


def test_a_second_call_of_a_name_shares():
    root = Builder("", "net")
    x = root.input("x", f("B"))
    once = root.call("twice", "block", [x], doubled)
    region = checked(root, *root.call("twice", "block", once, doubled))
    assert [node.shared for node in region.nodes if isinstance(node, Call)] == [False, True]


def test_an_optional_input_stays_optional_inside():
    root = Builder("", "net")
    mask = root.input("mask", f("B"), optional=True)
    child = root.child("inner", "block")
    assert child.receive(mask).value.optional


def test_variants_of_a_repeat_take_the_same_inputs():
    root = Builder("", "net")
    x, y, z = (root.input(name, f("B")) for name in "xyz")
    layers: list[Builder] = []
    outputs: list[list[Handle]] = []
    for other in (y, z):
        layer = root.child("h", "block")
        inner = layer.receive(x, "x", carried=True)
        outputs.append([layer.apply(Arith("add"), inner, other)])
        layers.append(layer)
    region = checked(root, *root.repeat("h", layers, outputs, (0, 1, 0), n.num(3)))
    (repeat,) = region.nodes
    assert isinstance(repeat, Repeat)
    assert [v.name for v in repeat.inputs] == ["x", "y", "z"]
    assert [[v.name for v in variant.inputs] for variant in repeat.variants] == [["x", "y", "z"]] * 2


def test_nodes_carry_the_place_they_came_from():
    root = Builder("", "net")
    root.span = Span(Source("net.yaml", "text"), 3, 5, 3, 9)
    root.call("inner", "block", [root.input("x", f("B"))], doubled)
    (call,) = root.nodes
    assert isinstance(call, Call)
    (node,) = call.region.nodes
    assert call.span is node.span is root.span
