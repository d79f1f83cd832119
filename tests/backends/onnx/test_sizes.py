"""Sizes that the model computes when it runs."""

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from archspec.backends.onnx.sizes import Sizes
from archspec.backends.onnx.tape import Tape
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num

S = n.symbol("S")
CASES = {
    "to a multiple": (-S) % 8,
    "less than nothing": (S - 9) // 4,
    "rounded up": (S + 3) // 4,
    "of what is negative": (-S) // 3,
    "left over": S % 5,
    "squared": S * S - 2 * S + 7,
    "in both": ((S - 5) // 2) % 3,
}


def computed(size: Num, length: int) -> int:
    tape = Tape()
    sizes = Sizes(tape, {})
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(["S"]))
    sizes.bind("S", (x, 0))
    out = sizes.tensor(size)
    out.type, out.shape = ir.TensorType(ir.DataType.INT64), ir.Shape([1])
    initializers = list(tape.initializers.values())
    graph = ir.Graph(
        [x], [out], nodes=tape.nodes, initializers=initializers, opset_imports={"": 18}, name="g"
    )
    model = ir.to_proto(ir.Model(graph, ir_version=8)).SerializeToString()
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.zeros(length, np.float32)})
    return int(np.asarray(found)[0])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("length", [1, 4, 5, 8, 13])
def test_rounds_as_the_language_does(name: str, length: int):
    """`//` and `%` toward minus infinity, where ONNX divides toward 0."""
    assert computed(CASES[name], length) == poly.evaluate(CASES[name].size, {"S": length})
