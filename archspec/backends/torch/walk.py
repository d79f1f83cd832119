"""Walking and rewriting nested regions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from archspec.ir.graph import Call as CallNode
from archspec.ir.graph import Node, Region, Repeat


def map_regions(region: Region, change: Callable[[Region], Region]) -> Region:
    """Every region below, then the region itself, through `change`."""
    return change(replace(region, nodes=tuple(_map_node(node, change) for node in region.nodes)))


def _map_node(node: Node, change: Callable[[Region], Region]) -> Node:
    if isinstance(node, CallNode):
        return replace(node, region=map_regions(node.region, change))
    if isinstance(node, Repeat):
        return replace(node, variants=tuple(map_regions(v, change) for v in node.variants))
    return node
