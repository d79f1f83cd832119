"""Walking and rewriting nested regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from archspec.ir.graph import Apply, Node, Region, Repeat
from archspec.ir.graph import Call as CallNode
from archspec.ir.ops.attention import Attention


def map_regions(region: Region, change: Callable[[Region], Region]) -> Region:
    """Every region below, then the region itself, through `change`."""
    return change(replace(region, nodes=tuple(_map_node(node, change) for node in region.nodes)))


def _map_node(node: Node, change: Callable[[Region], Region]) -> Node:
    if isinstance(node, CallNode):
        return replace(node, region=map_regions(node.region, change))
    if isinstance(node, Repeat):
        return replace(node, variants=tuple(map_regions(v, change) for v in node.variants))
    return node


def map_attentions(root: Region, change: Callable[[Apply, Attention, set[str]], Sequence[Node]]) -> Region:
    """Each `Attention` as what `change` makes of it, which is told the names that are taken around it."""

    def changed(region: Region) -> Region:
        taken = {v.name for v in region.inputs} | {v.name for node in region.nodes for v in node.outputs}
        nodes: list[Node] = []
        for node in region.nodes:
            match node:
                case Apply(op=Attention() as op):
                    nodes += change(node, op, taken)
                case _:
                    nodes.append(node)
        return replace(region, nodes=tuple(nodes))

    return map_regions(root, changed)
