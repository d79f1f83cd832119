"""One operation as a model, run by ONNX Runtime."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnxruntime

from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.profile import Profile
from archspec.dims import num as n
from archspec.dims import poly
from archspec.errors import Span
from archspec.ir.graph import Apply, Graph, Region, Value
from archspec.ir.op import Op
from archspec.ir.types import TensorType, is_float

Array: TypeAlias = npt.NDArray[Any]
Sizes: TypeAlias = Mapping[str, int]
IDS = Value("ids", TensorType("int64", (n.symbol("B"), n.symbol("S"))))
"""An input that every model has and gives back, so that both sizes are known."""


def graph_of(op: Op, types: Sequence[TensorType | None], span: Span | None = None) -> Graph:
    """A model whose inputs are the operands `x0`, `x1`, … and whose outputs are the results `y0`, `y1`, …"""
    given = [None if t is None else Value(f"x{i}", t) for i, t in enumerate(types)]
    results = tuple(Value(f"y{i}", t) for i, t in enumerate(op.infer(*types)))
    return _graph([value for value in given if value], [Apply(op, tuple(given), results, span)], results)


def chained(x: TensorType | None, *ops: Op) -> Graph:
    """A model of the input `x0` where each operation takes the last values that there are."""
    inputs = [Value("x0", x)] if x else []
    values, nodes = [*inputs], list[Apply]()
    for i, op in enumerate(ops):
        count = len(signature(op.infer).parameters)
        operands = tuple(values[len(values) - count :])
        values.append(Value(f"y{i}", op.infer(*(value.type for value in operands))[0]))
        nodes.append(Apply(op, operands, (values[-1],)))
    return _graph(inputs, nodes, values[-1:])


def _graph(inputs: Sequence[Value], nodes: Sequence[Apply], results: Sequence[Value]) -> Graph:
    root = Region("model", "model", (IDS, *inputs), (*results, IDS), tuple(nodes))
    outputs = (*((value.name, value) for value in results), ("seen", IDS))
    return Graph("case", "", "", ("B", "S"), None, root, None, outputs, (), ())


def model_of(op: Op, types: Sequence[TensorType | None], profile: Profile) -> ir.Model:
    """The model of one operation, checked by ONNX."""
    return _emitted(graph_of(op, types), profile)


def _emitted(graph: Graph, profile: Profile) -> ir.Model:
    model = Emitter(graph, profile, Interface(), _no_weight).model()
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    return model


def _no_weight(path: str, param: object) -> ir.TensorProtocol:
    raise AssertionError(f"there is no parameter {path}")


def session_of(model: ir.Model) -> onnxruntime.InferenceSession:
    """A session on the CPU; what the runtime says of itself is not shown."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(
    op: Op, types: Sequence[TensorType | None], arrays: Sequence[Array | None], sizes: Sizes, profile: Profile
) -> list[Array]:
    """The results of the operation on these arrays."""
    given = {f"x{i}": array for i, array in enumerate(arrays) if array is not None}
    return run_graph(graph_of(op, types), given, sizes, profile)


def run_graph(graph: Graph, given: Mapping[str, Array], sizes: Sizes, profile: Profile) -> list[Array]:
    """What the model gives for these inputs."""
    session = session_of(_emitted(graph, profile))
    taken = {value.name for value in session.get_inputs()}
    ids = np.zeros((sizes["B"], sizes["S"]), np.int64)
    feed = {name: array for name, array in {**given, "ids": ids}.items() if name in taken}
    *results, _ = session.run(None, feed)
    return [np.asarray(found) for found in results]


def concrete(shape: Sequence[n.Num], sizes: Sizes) -> tuple[int, ...]:
    return tuple(int(n.num(poly.evaluate(size.size, sizes))) for size in shape)


def numpy_dtype(name: str, profile: Profile) -> np.dtype[Any]:
    """The dtype of NumPy for one of the IR's."""
    return np.dtype(profile.dtype if name == "float" else name)


def drawn(type_: TensorType, low: float, high: float, sizes: Sizes, profile: Profile, seed: int) -> Array:
    """Random elements: floats uniform in [low, high), whole numbers in [low, high)."""
    draw, shape = np.random.default_rng(seed), concrete(type_.shape, sizes)
    dtype = numpy_dtype(type_.dtype, profile)
    if is_float(type_.dtype):
        return np.asarray(draw.uniform(low, high, shape)).astype(dtype)
    return np.asarray(draw.integers(int(low), int(high), shape)).astype(dtype)
