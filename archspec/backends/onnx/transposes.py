"""Weights are stored the way they are read: what moves the axes of one becomes its layout in the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir

Array: TypeAlias = np.ndarray[Any, Any]
Arrange: TypeAlias = Callable[[Array], Array]


def undo_pairs(model: ir.Model) -> None:
    """Removes each `Transpose` that undoes the one before it."""
    for node in list(model.graph):
        before = node.inputs[0].producer() if _turns(node) and node.inputs[0] is not None else None
        if before is not None and _turns(before):
            first, second = _perm(before), _perm(node)
            if [first[i] for i in second] == list(range(len(first))) and before.inputs[0] is not None:
                _replace(node, before.inputs[0])
                if not before.outputs[0].uses():
                    model.graph.remove(before, safe=True)


def lay_out_weights(model: ir.Model) -> None:
    """Stores each initializer, if it is ours to arrange, as its one `Transpose` or `Unsqueeze` makes it."""
    for value in list(model.graph.initializers.values()):
        readers = [use.node for use in value.uses()]
        tensor = value.const_value
        if tensor is None or isinstance(tensor, ir.ExternalTensor) or len(readers) != 1:
            continue
        if _turns(readers[0]):
            _store(value, transposed(tensor, _perm(readers[0])), readers[0])
        elif axes := _new_axes(readers[0], value):
            _store(value, widened(tensor, axes), readers[0])
    for name in [name for name, value in model.graph.initializers.items() if not _read(value)]:
        del model.graph.initializers[name]


def _store(value: ir.Value, tensor: ir.TensorProtocol, reader: ir.Node) -> None:
    value.const_value = tensor
    value.shape = ir.Shape(tensor.shape.numpy())
    _replace(reader, value)


def _read(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()


def _replace(node: ir.Node, value: ir.Value) -> None:
    """Takes a node out; who read its result reads `value`."""
    node.outputs[0].replace_all_uses_with(value)
    if node.graph is not None:
        node.graph.remove(node, safe=True)


def _turns(node: ir.Node) -> bool:
    """A `Transpose` inside of the graph, with its order written down."""
    named = node.op_type == "Transpose" and node.domain in ("", "ai.onnx") and "perm" in node.attributes
    return named and not node.outputs[0].is_graph_output()


def _new_axes(node: ir.Node, value: ir.Value) -> list[int]:
    """The axes that an `Unsqueeze` of the value inside of the graph makes, where they are written down."""
    if node.op_type != "Unsqueeze" or node.inputs[0] is not value or node.outputs[0].is_graph_output():
        return []
    axes = node.inputs[1]
    return axes.const_value.numpy().tolist() if axes is not None and axes.const_value is not None else []


def _perm(node: ir.Node) -> Sequence[int]:
    return node.attributes["perm"].as_ints()


def transposed(tensor: ir.TensorProtocol, perm: Sequence[int]) -> ir.TensorProtocol:
    """The tensor with its axes in another order, read when it is written."""
    sizes = tensor.shape.numpy()
    return _arranged(tensor, [sizes[axis] for axis in perm], lambda array: array.transpose(perm))


def widened(tensor: ir.TensorProtocol, axes: Sequence[int]) -> ir.TensorProtocol:
    """The tensor with axes of size 1, numbered as they are in the result, read when it is written."""
    rank = len(tensor.shape) + len(axes)
    rest, new = iter(tensor.shape.numpy()), {axis % rank for axis in axes}
    sizes = [1 if axis in new else next(rest) for axis in range(rank)]
    return _arranged(tensor, sizes, lambda array: array.reshape(sizes))


def _arranged(tensor: ir.TensorProtocol, sizes: Sequence[int], arrange: Arrange) -> ir.TensorProtocol:
    shape = ir.Shape(sizes)
    return ir.LazyTensor(
        lambda: ir.Tensor(arrange(tensor.numpy()), dtype=tensor.dtype, shape=shape, name=tensor.name),
        dtype=tensor.dtype,
        shape=shape,
        name=tensor.name,
    )
