"""Selective checkpointing: what attention keeps between its scores and its weighted values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archspec.analysis.sizes import Sizes
from archspec.dims import poly
from archspec.dims.poly import Size
from archspec.ir.graph import Apply, Graph, walk
from archspec.ir.ops.attention import Attention

if TYPE_CHECKING:
    from archspec.backends.torch.fake.trace import Saved, Trace

# What runs between q k^T and the product with v: its operands and results are scores or weights.
_CORE = ("_softmax", "_safe_softmax", "native_dropout", "dropout", "mul", "div", "tanh")


def scores(graph: Graph, sizes: Sizes, trace: Trace) -> int:
    """Bytes of scores and weights of attention that a run keeps, which selective checkpointing would not.

    Source: Korthikanti et al. 2022, arXiv:2205.05198, section 5. A fused attention keeps none of them.
    """
    shapes = set(_shapes(graph, sizes))
    return sum(one.nbytes for one in trace.saved if one.role == "activation" and _is_score(one, shapes))


def _is_score(one: Saved, shapes: set[tuple[Size, ...]]) -> bool:
    """Scores stand as [B, H, Q, K], but in the products as [B * H, Q, K]."""
    if one.operation == "bmm":
        return one.reason == "self" and any(
            (*shape[:1], *shape[2:]) == one.shape for shape in _merged(shapes)
        )
    return one.operation in _CORE and tuple(one.shape) in shapes


def _merged(shapes: set[tuple[Size, ...]]) -> Iterator[tuple[Size, ...]]:
    for batch, heads, queries, keys in shapes:
        yield poly.mul(batch, heads), heads, queries, keys


def _shapes(graph: Graph, sizes: Sizes) -> Iterator[tuple[Size, ...]]:
    """[B, H, Q, K] of every attention at these sizes; a head as wide as there are keys is not told apart."""
    for _, region, _ in walk(graph.root):
        for node in region.nodes:
            if isinstance(node, Apply) and isinstance(node.op, Attention):
                q, k = node.inputs[:2]
                if q is not None and k is not None:
                    yield tuple(sizes.size(d) for d in (*q.type.shape[:3], k.type.shape[2]))
