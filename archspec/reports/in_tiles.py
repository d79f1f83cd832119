"""What generated kernels of attention compute: all pairs of the tiles that they visit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.analysis.sizes import Sizes
from archspec.backends.torch.kernels.describe import Described, describe
from archspec.backends.torch.kernels.runs import group
from archspec.dims.expr import names
from archspec.ir.graph import Apply, Graph, walk
from archspec.ir.ops.attention import Attention
from archspec.ir.tiles import concrete

TILE = (128, 64)
"""Queries and keys of a tile, for what is counted."""


def in_tiles(graph: Graph, sizes: Sizes) -> int | None:
    """FLOPs of a forward pass that generated kernels compute in attention: all pairs of the tiles visited.

    Without tiles that only data picks. None where a length is a symbol, or heads visit other tiles.
    """
    found = list(_sites(graph, sizes))
    whole = [flops for flops in found if flops is not None]
    return sum(whole) if len(whole) == len(found) else None


def _sites(graph: Graph, sizes: Sizes) -> Iterator[int | None]:
    for _, region, runs in walk(graph.root):
        for node in region.nodes:
            if isinstance(node, Apply) and isinstance(node.op, Attention):
                one = _computed(node, node.op, sizes)
                yield None if one is None else one * runs


def _computed(node: Apply, op: Attention, sizes: Sizes) -> int | None:
    q, k, v = node.inputs[:3]
    assert q is not None, "attention without queries"
    assert k is not None, "attention without keys"
    assert v is not None, "attention without values"
    dims = (*q.type.shape, k.type.shape[2], v.type.shape[3], op.start)
    found = [size for size in map(sizes.size, dims) if isinstance(size, int)]
    described = describe(op, node.inputs)
    numbers = _given(described, sizes)
    if len(found) < len(dims) or numbers is None:
        return None
    batch, heads, queries, e, keys, w, start = found
    lengths = concrete.Sizes(*TILE, queries, keys, start)
    return 2 * batch * heads * (e + w) * TILE[0] * TILE[1] * _visited(described, lengths, numbers)


def _visited(described: Described, lengths: concrete.Sizes, numbers: Mapping[str, int]) -> int:
    plan = described.description.plan
    rows = concrete.tiles(plan, plan.queries, lengths, numbers)
    certain = (run for row in rows for run in row if group(plan, run.segment) != "picked")
    return sum(run.end - run.begin for run in certain)


def _given(described: Described, sizes: Sizes) -> Mapping[str, int] | None:
    """The rule's numbers; None where one is a symbol, or looked up for each head."""
    given = described.description
    words = [word for word, _ in given.numbers]
    numbers = dict(zip(words, map(sizes.size, described.numbers), strict=True))
    whole = {word: value for word, value in numbers.items() if isinstance(value, int)}
    by_head = any("h" in names(expr) for _, expr in given.plan.queries.lets)
    return None if by_head or len(whole) < len(numbers) else whole
