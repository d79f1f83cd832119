"""What generated kernels of attention compute: all pairs of the tiles that they visit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct

from archspec.analysis.sizes import Sizes
from archspec.backends.torch.kernels.describe import Described, describe
from archspec.backends.torch.kernels.runs import Group, group
from archspec.dims.expr import names
from archspec.ir.graph import Apply, Graph, walk
from archspec.ir.ops.attention import Attention
from archspec.ir.tiles import concrete
from archspec.ir.tiles.plan import Walk

TILE = (128, 64)
"""Queries and keys of a tile, for what is counted."""


class Site(Struct, frozen=True):
    """An attention of the graph, how often it runs, and what its kernels are handed."""

    path: str
    runs: int
    node: Apply
    op: Attention
    described: Described


class At(Struct, frozen=True):
    """A site at sizes: its lengths, and the rule's numbers."""

    lengths: concrete.Sizes
    numbers: Mapping[str, int]


def sites(graph: Graph) -> Iterator[Site]:
    """Every attention of a graph."""
    for path, region, runs in walk(graph.root):
        for node in region.nodes:
            if isinstance(node, Apply) and isinstance(node.op, Attention):
                yield Site(path or "model", runs, node, node.op, describe(node.op, node.inputs))


def in_tiles(graph: Graph, sizes: Sizes) -> int | None:
    """FLOPs of a forward pass that generated kernels compute in attention: all pairs of the tiles visited.

    Without tiles that only data picks. None where a length is a symbol, or heads visit other tiles.
    """
    found = [_flops(site, sizes) for site in sites(graph)]
    whole = [flops for flops in found if flops is not None]
    return sum(whole) if len(whole) == len(found) else None


def _flops(site: Site, sizes: Sizes) -> int | None:
    at = placed(site, sizes)
    q, _, v = site.node.inputs[:3]
    assert q is not None, "attention without queries"
    assert v is not None, "attention without values"
    dims = [sizes.size(x) for x in (*q.type.shape[:2], q.type.shape[3] + v.type.shape[3])]
    batch, heads, features = (size if isinstance(size, int) else 0 for size in dims)
    if at is None or not batch * heads * features:
        return None
    found = visited(site, at)
    tiles = sum(found.values()) - found["picked"]
    return 2 * site.runs * batch * heads * features * TILE[0] * TILE[1] * tiles


def placed(site: Site, sizes: Sizes) -> At | None:
    """The site at these sizes; None where one is a symbol, or tiles differ between heads or rows."""
    q, k = site.node.inputs[:2]
    assert q is not None, "attention without queries"
    assert k is not None, "attention without keys"
    queries, keys, start = (sizes.size(x) for x in (q.type.shape[2], k.type.shape[2], site.op.start))
    if not (isinstance(queries, int) and isinstance(keys, int) and isinstance(start, int)):
        return None
    given = site.described.description
    found = {word: sizes.size(n) for (word, _), n in zip(given.numbers, site.described.numbers, strict=True)}
    whole = {word: value for word, value in found.items() if isinstance(value, int)}
    if len(whole) < len(found) or _differ(given.plan.queries):
        return None
    return At(concrete.Sizes(*TILE, queries, keys, start), whole)


def _differ(walk: Walk) -> bool:
    """Whether heads, or rows of the batch, visit tiles of their own."""
    ends = [end for segment in walk.segments for end in (segment.begin, segment.end)]
    read = {word for expr in (*(expr for _, expr in walk.lets), *ends) for word in names(expr)}
    return bool(read & {"b", "h"})


def visited(site: Site, at: At) -> Counter[Group]:
    """How many tiles of each group a head visits."""
    plan, out = site.described.description.plan, Counter[Group]()
    for row in concrete.tiles(plan, plan.queries, at.lengths, at.numbers):
        for run in row:
            out[group(plan, run.segment)] += run.end - run.begin
    return out
