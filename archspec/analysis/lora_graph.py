"""A graph whose weights are frozen, with adapters beside some of its linear layers.

y = x W^T + b + alpha / r (x A^T) B^T, with A [r, in] and B [out, r] (Hu et al. 2021, arXiv:2106.09685,
section 4.1). A frozen weight needs no gradient, and its product does not keep x; the adapter's products keep
x and x A^T.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from archspec.dims import num as n
from archspec.errors import ArchspecError, Diagnostic
from archspec.ir.graph import Apply, Call, Graph, Init, Node, Param, Region, Repeat, Value
from archspec.ir.ops.contract import Linear
from archspec.ir.ops.elementwise import Arith, Scalar
from archspec.ir.types import TensorType


def with_adapters(graph: Graph, rank: int, matrices: Collection[str]) -> Graph:
    """The graph with adapters of the matrices of these whole names, where `*` is any layer.

    It is there to be counted: nothing emits it. Raises ArchspecError D006 for a matrix that is no weight of a
    linear layer.
    """
    return replace(graph, root=_region(graph.root, "", rank, matrices))


def _region(region: Region, path: str, rank: int, matrices: Collection[str]) -> Region:
    chosen = [p for p in region.params if f"{path}{p.name}" in matrices]
    nodes = [new for node in region.nodes for new in _node(node, path, rank, matrices, chosen)]
    for param in chosen:
        if not any(_weight(node) == param.value for node in region.nodes):
            problem = f"'{path}{param.name}' is no weight of a linear layer"
            hint = "adapters stand beside linear layers"
            raise ArchspecError(Diagnostic("D006", problem, None, hint))
    frozen = tuple(replace(param, trainable=False) for param in region.params)
    added = tuple(Param(value, _ZERO) for param in chosen for value in _pair(param.value, rank))
    return replace(region, nodes=tuple(nodes), params=frozen + added)


def _node(node: Node, path: str, rank: int, matrices: Collection[str], chosen: list[Param]) -> Iterator[Node]:
    if isinstance(node, Call):
        yield replace(node, region=_region(node.region, f"{path}{node.region.name}.", rank, matrices))
    elif isinstance(node, Repeat):
        inner = f"{path}{node.name}.*."
        yield replace(node, variants=tuple(_region(v, inner, rank, matrices) for v in node.variants))
    elif _weight(node) in [param.value for param in chosen]:
        yield from _adapted(node, rank)
    else:
        yield node


def _weight(node: Node) -> Value | None:
    """The weight of a linear layer."""
    return node.inputs[1] if isinstance(node, Apply) and isinstance(node.op, Linear) else None


def _pair(weight: Value, rank: int) -> tuple[Value, Value]:
    (out, inner), dtype, r = weight.type.shape, weight.type.dtype, n.num(rank)
    return (
        Value(f"{weight.name}.lora_a", TensorType(dtype, (r, inner))),
        Value(f"{weight.name}.lora_b", TensorType(dtype, (out, r))),
    )


def _adapted(node: Apply, rank: int) -> Iterator[Node]:
    x, weight, *_ = node.inputs
    assert x is not None
    assert weight is not None
    (out,), (a, b) = node.outputs, _pair(weight, rank)
    base, high, scaled = (Value(f"{out.name}.{word}", out.type) for word in ("base", "high", "scaled"))
    low = Value(f"{out.name}.low", out.type.with_shape(*x.type.shape[:-1], n.num(rank)))
    yield replace(node, outputs=(base,))
    yield Apply(Linear(), (x, a), (low,))
    yield Apply(Linear(), (low, b), (high,))
    yield Apply(Scalar("mul", n.num(2.0)), (high,), (scaled,))
    yield Apply(Arith("add"), (base, scaled), (out,))


_ZERO = Init("constant", n.num(0))
