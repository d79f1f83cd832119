"""A model's products with stored matrices, rewritten to fewer bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import numpy as np
import onnx_ir as ir
from msgspec import Struct
from onnx_ir.passes import common

from archspec.backends.onnx.quantize.products import Product, products
from archspec.backends.onnx.quantize.stored import Array, Blocks4, Rows8, lazy
from archspec.backends.onnx.tape import CONTRIB
from archspec.errors import Diagnostic, UnsupportedError

Form: TypeAlias = Literal["int8", "int4"]
FORMS: tuple[Form, ...] = get_args(Form)
_Read: TypeAlias = tuple[ir.Value, int]  # a value, and the graph that it is read in
_FLOAT = ir.DataType.FLOAT
_INT8_ACTIVATIONS = 4  # of MatMulNBits: activations are rounded to 8 bits block by block


class Want(Struct, frozen=True):
    """How products are stored.

    `int8`: symmetric, a scale for each output channel; activations are rounded at run time, with a scale for
    each tensor. `int4`: weights alone, in blocks of `block` numbers, each with a scale, and with a zero point
    where `zero_points` says so.
    `embeddings`: tables of rows in int8 as well, with a scale for each row.
    """

    form: Form = "int8"
    block: int = 32
    zero_points: bool = False
    embeddings: bool = False


class Quantized(Struct, frozen=True):
    """What became of the model: how many `products` and `tables` have fewer bits, and their `parameters`."""

    products: int
    tables: int
    parameters: int


def quantize(model: ir.Model, want: Want) -> Quantized:
    """Rewrites the model in place. Of a matrix that others read too, such as a tied head's, there is a copy.

    Raises UnsupportedError O030 where nothing can be rewritten, O031 where the model is not in float32.
    """
    rewrite = _Rewrite(model, want)
    found = list(products(model))
    _check(found, model)
    for product in found:
        rewrite.product(product)
    tables = rewrite.tables() if want.embeddings else 0
    for step in (common.RemoveUnusedNodesPass(), common.RemoveUnusedOpsetsPass()):
        step(model)
    return Quantized(len(found), tables, sum(rewrite.seen.values()))


def _check(found: list[Product], model: ir.Model) -> None:
    if not found:
        message = f"{model.graph.name} has no product with a stored matrix that could have fewer bits"
        raise UnsupportedError(Diagnostic("O030", message, None, "export it as it is"))
    wrong = next((p for p in found if p.stored.dtype != _FLOAT), None)
    if wrong is not None:
        dtype = wrong.stored.dtype.name.lower()
        message = f"'{wrong.weight.name}' is {dtype}, and products are quantised from float32"
        raise UnsupportedError(Diagnostic("O031", message, None, "leave the dtype out, or the quantisation"))


@dataclass(slots=True)
class _Rewrite:
    """`seen`: parameters by the name of their tensor. `rounded`: activations in 8 bits, each made once."""

    model: ir.Model
    want: Want
    seen: dict[str, int] = field(default_factory=dict[str, int])
    rounded: dict[_Read, tuple[ir.Value, ...]] = field(default_factory=dict["_Read", tuple[ir.Value, ...]])

    def product(self, product: Product) -> None:
        at = _At(product.node)
        y = self._int8(product, at) if self.want.form == "int8" else self._int4(product, at)
        if product.bias is not None:
            y = at.one("Add", y, product.bias)
        _replace(product.node, y)
        self._count(product.weight, product.stored)

    def _int8(self, product: Product, at: _At) -> ir.Value:
        """ONNX Runtime fuses this: DynamicQuantizeMatMul, or MatMulIntegerToFloat where others read x too."""
        (k, n), name = product.sizes, product.weight.name
        rows = Rows8(product.columns)
        x, x_scale, x_zero = self._in_8_bits(product.x, at)
        stored = self._stored(f"{name}.int8", ir.DataType.INT8, (k, n), lambda: rows.values().T)
        scale = self._stored(f"{name}.scale", _FLOAT, (n,), lambda: rows.scale)
        total = at.one("MatMulInteger", x, stored, x_zero)
        return at.one("Mul", at.one("Cast", total, to=int(_FLOAT)), at.one("Mul", x_scale, scale))

    def _in_8_bits(self, x: ir.Value, at: _At) -> tuple[ir.Value, ...]:
        """Values in uint8, their scale and their zero point, written where they are first needed."""
        key = x, id(at.node.graph)
        if key not in self.rounded:
            self.rounded[key] = at.several("DynamicQuantizeLinear", 3, x)
        return self.rounded[key]

    def _int4(self, product: Product, at: _At) -> ir.Value:
        (k, n), name, block = product.sizes, product.weight.name, self.want.block
        count = -(-k // block)
        rows = Blocks4(product.columns, block, zero_points=self.want.zero_points)
        stored = [
            self._stored(f"{name}.int4", ir.DataType.UINT8, (n, count, block // 2), rows.packed),
            self._stored(f"{name}.scales", _FLOAT, (n, count), rows.scales),
        ]
        if self.want.zero_points:
            stored.append(self._stored(f"{name}.zeros", ir.DataType.UINT8, (n, -(-count // 2)), rows.zeros))
        self.model.graph.opset_imports[CONTRIB] = 1
        given = {"K": k, "N": n, "bits": 4, "block_size": block, "accuracy_level": _INT8_ACTIVATIONS}
        return at.one("MatMulNBits", product.x, *stored, domain=CONTRIB, **given)

    def tables(self) -> int:
        """Rewrites lookups of rows; how many there were."""
        found = [node for node in self.model.graph if _is_lookup(node)]
        for node in found:
            self._table(node)
        return len(found)

    def _table(self, node: ir.Node) -> None:
        table, ids = node.inputs
        assert table is not None, "a lookup has a table"
        assert ids is not None, "a lookup has ids"
        assert table.const_value is not None, "the table is stored"
        tensor, at = table.const_value, _At(node)
        shape = tuple(tensor.shape.numpy())
        rows = Rows8(lambda: np.asarray(tensor.numpy(), np.float32))
        stored = self._stored(f"{table.name}.rows.int8", ir.DataType.INT8, shape, rows.values)
        scale = self._stored(f"{table.name}.rows.scale", _FLOAT, (shape[0], 1), lambda: rows.scale[:, None])
        picked = at.one("Cast", at.one("Gather", stored, ids), to=int(_FLOAT))
        _replace(node, at.one("Mul", picked, at.one("Gather", scale, ids)))
        self._count(table, tensor)

    def _stored(
        self, name: str, dtype: ir.DataType, shape: tuple[int, ...], make: Callable[[], Array]
    ) -> ir.Value:
        """An initializer of that name; the one that is there where a matrix is read twice."""
        known = self.model.graph.initializers
        if name not in known:
            value = ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(shape))
            value.const_value = lazy(name, dtype, shape, make)
            known.add(value)
        return known[name]

    def _count(self, weight: ir.Value, tensor: ir.TensorProtocol) -> None:
        self.seen[str(weight.name)] = tensor.size


def _is_lookup(node: ir.Node) -> bool:
    if node.domain or node.op_type != "Gather" or node.attributes.get_int("axis", 0):
        return False
    table = node.inputs[0]
    tensor = table.const_value if table is not None else None
    return tensor is not None and len(tensor.shape) == 2 and tensor.dtype == _FLOAT


def _replace(node: ir.Node, value: ir.Value) -> None:
    """`value` takes the place, the name and the type of what the node gave."""
    old = node.outputs[0]
    name, value.type, value.shape = old.name, old.type, old.shape
    ir.convenience.replace_all_uses_with(old, value, replace_graph_outputs=True)
    old.name, value.name = None, name
    assert node.graph is not None, "a node stands in a graph"
    node.graph.remove(node, safe=True)


@dataclass(slots=True)
class _At:
    """Writes nodes in front of another one, named after it. `written`: how many so far."""

    node: ir.Node
    written: int = 0

    def one(self, kind: str, *inputs: ir.Value, domain: str = "", **given: int) -> ir.Value:
        return self.several(kind, 1, *inputs, domain=domain, **given)[0]

    def several(
        self, kind: str, count: int, *inputs: ir.Value, domain: str = "", **given: int
    ) -> tuple[ir.Value, ...]:
        assert self.node.graph is not None, "a node stands in a graph"
        self.written += 1
        label = f"{self.node.name}/{kind}_{self.written}"
        node = ir.node(kind, inputs, given, domain=domain, num_outputs=count, name=label)
        self.node.graph.insert_before(self.node, node)
        for i, value in enumerate(node.outputs):
            value.name = f"{label}.{i}"
        return tuple(node.outputs)
