"""Small models of a few nodes, to be quantised, and how they run."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from archspec.backends.onnx.runtime import Session

Array = np.ndarray[Any, Any]
FLOAT, INT64 = ir.DataType.FLOAT, ir.DataType.INT64
Build = Callable[["Draft"], ir.Value]


class Draft:
    """A graph that takes x [B, S, K] and ids [B, S], written node by node."""

    def __init__(self, width: int) -> None:
        self.nodes: list[ir.Node] = []
        self.stored: dict[str, ir.Value] = {}
        self.x = ir.Value(name="x", type=ir.TensorType(FLOAT), shape=ir.Shape(["B", "S", width]))
        self.ids = ir.Value(name="ids", type=ir.TensorType(INT64), shape=ir.Shape(["B", "S"]))

    def weight(self, name: str, array: Array) -> ir.Value:
        if name not in self.stored:
            tensor = ir.tensor(array, name=name)
            value = ir.Value(
                name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.shape.numpy())
            )
            value.const_value = tensor
            self.stored[name] = value
        return self.stored[name]

    def op(self, kind: str, *inputs: ir.Value, **given: Any) -> ir.Value:
        node = ir.node(kind, inputs, given, name=f"{kind}_{len(self.nodes)}")
        node.outputs[0].name, node.outputs[0].type = node.name, ir.TensorType(FLOAT)
        self.nodes.append(node)
        return node.outputs[0]


def model(build: Build, width: int) -> ir.Model:
    """The model that gives what `build` writes."""
    draft = Draft(width)
    y = build(draft)
    inputs = [value for value in (draft.x, draft.ids) if value.uses()]
    graph = ir.Graph(
        inputs,
        [y],
        nodes=draft.nodes,
        initializers=list(draft.stored.values()),
        name="draft",
        opset_imports={"": 23},
    )
    return ir.Model(graph, ir_version=10)


def run(model: ir.Model, folder: Path, given: Mapping[str, Array]) -> Array:
    """The one output for these inputs."""
    ir.save(model, folder / "model.onnx")
    session = Session(folder / "model.onnx", opset=23)
    return next(iter(session.run(given).values()))


def kinds(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def counted(kinds: Sequence[str]) -> dict[str, int]:
    return {kind: kinds.count(kind) for kind in kinds}
