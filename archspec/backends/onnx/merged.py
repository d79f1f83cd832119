"""Two models of the same weights as one, which is told at each run which of them it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from archspec.version import VERSION

SWITCH = "use_cache_branch"
"""The input that tells, bool [1], as optimum and transformers.js call it."""


def merged(first: ir.Model, later: ir.Model, past_of: Mapping[str, str]) -> ir.Model:
    """A model that is `later` where it is told to use its cache, and else `first`.

    It takes what either takes, and gives what `first` gives; an output that `later` lacks is the input that
    `past_of` names. Weights that both have stand outside of both. Neither model is of use afterwards.
    """
    inputs = {name: value for graph in (later.graph, first.graph) for name, value in _named(graph.inputs)}
    shared = _shared(first.graph, later.graph)
    switch = ir.Value(name=SWITCH, type=ir.TensorType(ir.DataType.BOOL), shape=ir.Shape([1]))
    shapes = dict(_named(first.graph.outputs)) | dict(_named(later.graph.outputs))
    names = [name for name, _ in _named(first.graph.outputs)]
    outputs = [ir.Value(name=name, type=shapes[name].type, shape=shapes[name].shape) for name in names]
    outer = {**inputs, **shared}
    branches = [_branch(model.graph, names, outer, past_of) for model in (later, first)]
    kinds = zip(("then_branch", "else_branch"), branches, strict=True)
    choice = ir.Node("", "If", [switch], [ir.AttrGraph(*each) for each in kinds], outputs=outputs)
    graph = ir.Graph(
        [*inputs.values(), switch], outputs, nodes=[choice], initializers=list(shared.values()),
        name=first.graph.name, doc_string=first.graph.doc_string,
        opset_imports={**first.opset_imports, **later.opset_imports},
    )  # fmt: skip
    model = ir.Model(graph, ir_version=first.ir_version, producer_name="archspec", producer_version=VERSION)
    model.metadata_props.update(later.metadata_props)
    return model


def _named(values: Sequence[ir.Value]) -> list[tuple[str, ir.Value]]:
    return [(value.name or "", value) for value in values]


def _shared(first: ir.Graph, later: ir.Graph) -> dict[str, ir.Value]:
    """The weights that are the same in both, taken out of both; and each branch reads these."""
    found: dict[str, ir.Value] = {}
    for name in [name for name in first.initializers if name in later.initializers]:
        value, other = first.initializers[name], later.initializers[name]
        if _same(value, other):
            del first.initializers[name], later.initializers[name]
            other.replace_all_uses_with(value)
            found[name] = value
    return found


def _same(one: ir.Value, other: ir.Value) -> bool:
    a, b = one.const_value, other.const_value
    if a is None or b is None or a.dtype != b.dtype or a.shape != b.shape:
        return False
    if isinstance(a, ir.ExternalTensor) and isinstance(b, ir.ExternalTensor):
        return (a.path, a.offset, a.length) == (b.path, b.offset, b.length)
    return bool(np.array_equal(a.numpy(), b.numpy()))


def _branch(
    old: ir.Graph, names: Sequence[str], outer: Mapping[str, ir.Value], past_of: Mapping[str, str]
) -> ir.Graph:
    """The nodes of a model as a branch: it reads what stands outside, and gives values of its own."""
    for name, value in _named(old.inputs):
        if value is not outer[name]:
            value.replace_all_uses_with(outer[name])
    own = dict(_named(old.outputs))
    nodes, weights = list(old), list(old.initializers.values())
    old.inputs.clear()
    old.outputs.clear()
    old.remove(nodes)
    old.initializers.clear()
    outputs: list[ir.Value] = []
    for name in names:
        value = own.get(name, outer.get(past_of.get(name, "")))
        assert value is not None, f"a branch has nothing to give as {name}"
        passed = ir.node("Identity", [value])
        passed.outputs[0].name = f"{name}/given"
        passed.outputs[0].type, passed.outputs[0].shape = value.type, value.shape
        if name in own:
            value.name = f"{name}/computed"
        nodes.append(passed)
        outputs.append(passed.outputs[0])
    return ir.Graph([], outputs, nodes=nodes, initializers=weights, name=f"{old.name}_branch")
