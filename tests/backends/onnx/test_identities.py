"""What an Identity keeps apart, and what it is taken out of."""

import numpy as np
import onnx_ir as ir

from archspec.backends.onnx.identities import drop_identities

TYPE, SHAPE = ir.TensorType(ir.DataType.FLOAT), ir.Shape([3])


def value(name: str) -> ir.Value:
    return ir.Value(name=name, type=TYPE, shape=SHAPE)


def node(kind: str, *inputs: ir.Value, name: str) -> ir.Node:
    made = ir.node(kind, list(inputs), name=name)
    made.outputs[0].name, made.outputs[0].type, made.outputs[0].shape = name, TYPE, SHAPE
    return made


def tidied(inputs: list[ir.Value], outputs: list[ir.Value], nodes: list[ir.Node]) -> ir.Graph:
    graph = ir.Graph(inputs, outputs, nodes=nodes, name="main", opset_imports={"": 23})
    drop_identities(ir.Model(graph, ir_version=10))
    return graph


def names(graph: ir.Graph) -> list[tuple[str, str | None]]:
    return [(each.op_type, each.outputs[0].name) for each in graph]


def test_an_output_takes_its_name_from_the_identity():
    x = value("x")
    exp = node("Exp", x, name="inner")
    out = node("Identity", exp.outputs[0], name="logits")
    graph = tidied([x], [out.outputs[0]], [exp, out])
    assert names(graph) == [("Exp", "logits")]
    assert graph.outputs[0].name == "logits"


def test_one_inside_leaves_nothing():
    x = value("x")
    same = node("Identity", x, name="same")
    exp = node("Exp", same.outputs[0], name="out")
    graph = tidied([x], [exp.outputs[0]], [same, exp])
    assert names(graph) == [("Exp", "out")]
    assert exp.inputs[0] is x


def test_an_input_that_is_given_back_stays_two_values():
    x = value("x")
    out = node("Identity", x, name="out")
    graph = tidied([x], [out.outputs[0]], [out])
    assert names(graph) == [("Identity", "out")]


def test_a_weight_that_is_given_back_stays_one():
    weight = value("weight")
    weight.const_value = ir.tensor(np.ones(3, np.float32))
    out = node("Identity", weight, name="out")
    graph = ir.Graph([], [out.outputs[0]], nodes=[out], initializers=[weight], name="main")
    drop_identities(ir.Model(graph, ir_version=10))
    assert (graph.outputs[0].name, weight.name) == ("out", "weight")


def test_two_outputs_of_one_value_stay_two():
    x = value("x")
    exp = node("Exp", x, name="inner")
    first, second = (node("Identity", exp.outputs[0], name=name) for name in ("first", "second"))
    graph = tidied([x], [first.outputs[0], second.outputs[0]], [exp, first, second])
    assert [out.name for out in graph.outputs] == ["first", "second"]
    assert names(graph) == [("Exp", "first"), ("Identity", "second")]


def test_a_body_gives_values_of_its_own():
    x, element = value("x"), value("element")
    outer = node("Exp", x, name="outer")
    kept = node("Identity", outer.outputs[0], name="kept")
    body = ir.Graph([element], [kept.outputs[0]], nodes=[kept], name="body")
    scan = ir.node("Scan", [x], {"body": body, "num_scan_inputs": 1}, name="scan")
    tidied([x], list(scan.outputs), [outer, scan])
    assert names(body) == [("Identity", "kept")]
