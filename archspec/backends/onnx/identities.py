"""Takes out `Identity` nodes, but for those that keep two results of a graph apart."""

from __future__ import annotations

import onnx_ir as ir


def drop_identities(model: ir.Model) -> None:
    """Replaces what an Identity gives by what it reads, also in bodies of control flow.

    An output of a graph stays a value of that graph's own, with its own name. `onnx_ir`'s pass makes one of
    two outputs; where a Scan's body carries and stacks one value, ONNX Runtime reads what it overwrote.
    """
    for node in list(model.graph.all_nodes()):
        if node.op_type == "Identity" and node.domain == "":
            _drop(node)


def _drop(node: ir.Node) -> None:
    value, result = node.inputs[0], node.outputs[0]
    graph = node.graph
    if value is None or graph is None or (result.is_graph_output() and not _may_be_output(value, graph)):
        return
    if result.is_graph_output():
        value.name, value.type, value.shape = result.name, result.type, result.shape
    ir.convenience.replace_all_uses_with(result, value, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def _may_be_output(value: ir.Value, graph: ir.Graph | ir.Function) -> bool:
    """Whether a node of this graph computes it, and it is no output yet."""
    maker = value.producer()
    return maker is not None and maker.graph is graph and not value.is_graph_output()
