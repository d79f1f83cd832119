"""Recipes of weight maps written as nodes: ONNX Runtime computes what numpy does."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from archspec.backends.onnx.laid import Arrays, Laid
from archspec.backends.onnx.tape import Tape
from archspec.weights.ops import Concatenate, Op, Permute, Reshape, Reversed, Stack, Transpose
from archspec.weights.rearrange import interleave_order, rope_order

CASES: dict[str, tuple[Op, list[tuple[int, ...]]]] = {
    "cut in rows": (Concatenate(0, (2, 3, 1)), [(6, 4)]),
    "cut in columns": (Concatenate(1, (2, 3)), [(4, 5)]),
    "joined": (Reversed(Concatenate(1, (2, 3))), [(4, 2), (4, 3)]),
    "unstacked": (Stack(3), [(3, 4, 5)]),
    "stacked": (Reversed(Stack(2)), [(4, 5), (4, 5)]),
    "rows of rotary pairs": (Permute(0, rope_order(8, 4, 4, interleaved=True)), [(8, 3)]),
    "interleaved columns": (Permute(1, interleave_order(2, (1, 1), 2)), [(3, 8)]),
    "reshaped": (Reshape((2, 6), (3, 4)), [(3, 4)]),
    "transposed": (Transpose(), [(3, 4)]),
    "experts transposed": (Transpose(), [(2, 3, 4)]),
}


def computed(op: Op, arrays: list[Any], folder: Path) -> list[Any]:
    """What ONNX Runtime makes of the nodes."""
    tape = Tape()
    values = [tape.initializer(f"x{i}", ir.tensor(array)) for i, array in enumerate(arrays)]
    pairs = zip(values, arrays, strict=True)
    laid: Any = [Laid.of(tape, value, ir.DataType.FLOAT, array.shape) for value, array in pairs]
    xp: Any = Arrays(tape)
    made: Any = op.to_ours(laid, xp)
    outputs = [tape.one("Identity", each.written()) for each in made]
    for value in outputs:
        value.type = ir.TensorType(ir.DataType.FLOAT)
    graph = ir.Graph(
        [], outputs, nodes=tape.nodes, initializers=list(tape.initializers.values()), opset_imports={"": 18}
    )
    ir.save(ir.Model(graph, ir_version=8), folder / "m.onnx")
    session: Any = onnxruntime.InferenceSession(folder / "m.onnx", providers=["CPUExecutionProvider"])
    assert [each.shape for each in made] == [array.shape for array in session.run(None, {})]
    return session.run(None, {})


@pytest.mark.parametrize(("op", "shapes"), CASES.values(), ids=CASES)
def test_nodes_compute_what_numpy_does(op: Op, shapes: list[tuple[int, ...]], tmp_path: Path):
    arrays = [
        np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + i for i, shape in enumerate(shapes)
    ]
    xp: Any = np
    wanted = op.to_ours(arrays, xp)
    found = computed(op, arrays, tmp_path)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_columns_are_cut_without_a_transpose():
    """Axes are exchanged on paper; only their final order would be a node."""
    tape = Tape()
    x = Laid.of(tape, tape.initializer("x", ir.tensor(np.ones((4, 5)))), ir.DataType.DOUBLE, (4, 5))
    x.swapaxes(0, 1)[1:3].swapaxes(0, 1).written()
    assert [node.op_type for node in tape.nodes] == ["Slice"]
    x.swapaxes(0, 1).written()
    assert [node.op_type for node in tape.nodes] == ["Slice", "Transpose"]
