"""Where a model multiplies by a stored matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Product:
    """x [..., K] times a stored matrix of K rows and N columns; `turned`: it is stored as [N, K].

    `stored` is the matrix as it was found: what is saved may be replaced by where it was written.
    """

    node: ir.Node
    x: ir.Value
    weight: ir.Value
    stored: ir.TensorProtocol
    turned: bool
    bias: ir.Value | None = None

    @property
    def sizes(self) -> tuple[int, int]:
        """K and N."""
        rows, columns = self.stored.shape.numpy()
        return (columns, rows) if self.turned else (rows, columns)

    def columns(self) -> Array:
        """The matrix as [N, K] in float32, read now."""
        matrix = self.stored.numpy()
        return np.ascontiguousarray(matrix if self.turned else matrix.T, dtype=np.float32)


def products(model: ir.Model) -> Iterator[Product]:
    """Each product with a stored matrix, in the graph and in bodies of control flow."""
    for node in list(ir.traversal.RecursiveGraphIterator(model.graph)):
        found = _product(node)
        if found is not None:
            yield found


def _product(node: ir.Node) -> Product | None:
    if node.domain or node.op_type not in ("MatMul", "Gemm"):
        return None
    x, given = node.inputs[0], node.inputs[1]
    assert x is not None, "a product has two operands"
    assert given is not None, "a product has two operands"
    weight, turned = _untransposed(given)
    stored = weight.const_value
    if stored is None or len(stored.shape) != 2 or weight.is_graph_input():
        return None
    if node.op_type == "MatMul":
        return Product(node, x, weight, stored, turned)
    if not _is_plain(node):
        return None
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    return Product(node, x, weight, stored, turned != bool(node.attributes.get_int("transB", 0)), bias)


def _is_plain(gemm: ir.Node) -> bool:
    """x W + b, nothing scaled and x not transposed."""
    given = gemm.attributes
    scales = (given.get_float("alpha", 1.0), given.get_float("beta", 1.0))
    return scales == (1.0, 1.0) and not given.get_int("transA", 0)


def _untransposed(value: ir.Value) -> tuple[ir.Value, bool]:
    """What a transpose of a matrix reads, and that it was one."""
    node = value.producer()
    if node is None or node.op_type != "Transpose" or node.inputs[0] is None:
        return value, False
    turns = node.attributes.get_ints("perm", [1, 0])
    return (node.inputs[0], True) if list(turns) == [1, 0] else (value, False)
