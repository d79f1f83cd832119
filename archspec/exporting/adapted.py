"""Changes of a written model that make its inputs and outputs those that a client gives and reads."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from archspec.exporting.files import Change


def for_all_rows(name: str, like: str, shape: Sequence[int]) -> Change:
    """The input `name` [B] is one number, of `shape` [] or [1], for every row of the input `like` [B, …]."""

    def change(model: ir.Model) -> ir.Model:
        old = _input(model, name)
        new = _replaced(model, old, old.dtype, ir.Shape(list(shape)))
        rows = ir.node("Shape", [_input(model, like)], {"start": 0, "end": 1})
        spread = ir.node("Expand", [new, rows.outputs[0]])
        _put_first(model, old, [rows, spread])
        return model

    return change


def narrow(model: ir.Model) -> ir.Model:
    """Ids of 64 bits are given in 32."""
    for old in [value for value in model.graph.inputs if value.dtype == ir.DataType.INT64]:
        new = _replaced(model, old, ir.DataType.INT32, old.shape)
        _put_first(model, old, [ir.node("Cast", [new], {"to": int(ir.DataType.INT64)})])
    return model


def first_half(name: str) -> Change:
    """The model's first output, before those it has, is the first half of the channels of its only one."""

    def change(model: ir.Model) -> ir.Model:
        (whole,) = model.graph.outputs
        cut = ir.node("Split", [whole], {"axis": 1, "num_outputs": 2}, num_outputs=2)
        half = cut.outputs[0]
        half.name, half.type, half.shape = name, whole.type, _halved(whole.shape)
        model.graph.append(cut)
        model.graph.outputs.insert(0, half)
        return model

    return change


def _halved(shape: ir.Shape | None) -> ir.Shape | None:
    if shape is None or not isinstance(shape[1], int):
        return None
    return ir.Shape([shape[0], shape[1] // 2, *shape[2:]])


def _input(model: ir.Model, name: str) -> ir.Value:
    return next(value for value in model.graph.inputs if value.name == name)


def _replaced(model: ir.Model, old: ir.Value, dtype: ir.DataType | None, shape: ir.Shape | None) -> ir.Value:
    """An input in the place and under the name of another one, which is no input any more."""
    assert dtype is not None, "an input has a dtype"
    new = ir.Value(name=old.name, type=ir.TensorType(dtype), shape=shape)
    model.graph.inputs[model.graph.inputs.index(old)] = new
    old.name = f"{new.name}_as_computed"
    return new


def _put_first(model: ir.Model, old: ir.Value, nodes: Sequence[ir.Node]) -> None:
    """Writes nodes before all others; what read `old` reads what the last of them gives."""
    made = nodes[-1].outputs[0]
    made.name, made.type, made.shape = old.name, old.type, old.shape
    old.replace_all_uses_with(made)
    model.graph.insert_before(model.graph[0], nodes)
