"""How large an integer input may be: the rows of the tables that it is looked up in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from archspec.dims import poly
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Graph, Region, Repeat
from archspec.ir.ops.shape import Expand, Gather, Permute, Reshape, Scatter, Slice, Split, Take
from archspec.ir.ops.source import Cast

MOVES = (Cast, Expand, Permute, Reshape, Slice, Split)
Origins = dict[str, str]
"""Which values of a region hold numbers of which inputs of the graph."""


def limits(graph: Graph, sizes: Mapping[str, int] = MappingProxyType({})) -> dict[str, int]:
    """For each input that is an index of a table's rows, the rows of the smallest such table.

    A table whose rows are known only at run time counts where `sizes` tells them.
    """
    found = dict[str, int]()
    for name, rows in _looked_up(graph.root, {value.name: value.name for value in graph.inputs}):
        size = poly.evaluate(rows.size, sizes)
        if isinstance(size, int):
            found[name] = min(size, found.get(name, size))
    return found


def _looked_up(region: Region, inputs: Origins) -> Iterator[tuple[str, Num]]:
    """The inputs that are looked up, each with how many rows there are."""
    known = dict(inputs)
    for node in region.nodes:
        if isinstance(node, Apply):
            yield from _rows(node, known)
            source = node.inputs[0] if node.inputs else None
            if isinstance(node.op, MOVES) and source is not None and source.name in known:
                known |= dict.fromkeys((value.name for value in node.outputs), known[source.name])
        else:
            own = node.own if isinstance(node, Repeat) else 0
            for inner in node.regions:
                pairs = list(zip(node.inputs, inner.inputs, strict=True))[own:]
                passed = {v.name: known[x.name] for x, v in pairs if x.name in known}
                yield from _looked_up(inner, passed) if passed else ()


def _rows(node: Apply, known: Origins) -> Iterator[tuple[str, Num]]:
    table = node.inputs[0] if node.inputs else None
    if isinstance(node.op, Gather | Take | Scatter) and table is not None:
        size = node.op.size if isinstance(node.op, Scatter) else table.type.shape[node.op.axis]
        yield from ((known[x.name], size) for x in node.inputs[1:] if x and x.name in known)
