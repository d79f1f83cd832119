"""How large an integer input may be: the rows of the tables that it is looked up in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.ir.graph import Apply, Graph, Region, Repeat
from archspec.ir.ops.shape import Gather


def limits(graph: Graph) -> dict[str, int]:
    """For each input that is an index of a table's rows, the rows of the smallest such table."""
    found = dict[str, int]()
    for name, rows in _looked_up(graph.root, {value.name: value.name for value in graph.inputs}):
        found[name] = min(rows, found.get(name, rows))
    return found


def _looked_up(region: Region, inputs: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """`inputs`: which values of the region are which inputs of the graph."""
    for node in region.nodes:
        if isinstance(node, Apply):
            yield from _rows(node, inputs)
        else:
            own = node.own if isinstance(node, Repeat) else 0
            for inner in node.regions:
                pairs = list(zip(node.inputs, inner.inputs, strict=True))[own:]
                known = {v.name: inputs[x.name] for x, v in pairs if x.name in inputs}
                yield from _looked_up(inner, known) if known else ()


def _rows(node: Apply, inputs: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    if isinstance(node.op, Gather) and node.inputs[0] is not None:
        size = node.inputs[0].type.shape[node.op.axis]
        if size.static:
            yield from ((inputs[x.name], int(size)) for x in node.inputs[1:] if x and x.name in inputs)
