"""Leaves out what nothing reads: operations without effect on a result, region inputs without a reader."""

from __future__ import annotations

from dataclasses import replace

from archspec.ir.graph import Apply, Call, Graph, Node, Region, Repeat
from archspec.ir.ops.state import Stateful


def trim(graph: Graph) -> Graph:
    """Afterwards every operation is read by another or by an output; inputs of the root stay as declared.

    A module that nothing reads stays where it has parameters: they are stored.
    """
    return replace(graph, root=trimmed(graph.root))


def trimmed(region: Region) -> Region:
    """The region with only those nodes that its outputs need, and so for all regions in it."""
    live = {v.name for v in region.outputs}
    again = {node.region.name for node in region.nodes if isinstance(node, Call) and node.shared}
    kept: list[Node] = []
    for node in reversed(region.nodes):
        stays = _has_effect(node) or (isinstance(node, Call) and node.region.name in again)
        if not stays and not any(o.name in live for o in node.outputs):
            continue
        if isinstance(node, Call):
            node = _call(node)
        elif isinstance(node, Repeat):
            node = _repeat(node)
        live |= {v.name for v in node.inputs if v is not None}
        kept.append(node)
    return replace(region, nodes=tuple(reversed(kept)))


def _has_effect(node: Node) -> bool:
    """Whether a node keeps state, or owns parameters: then it stays, read or not."""
    if isinstance(node, Apply):
        return isinstance(node.op, Stateful)
    return any(r.params or r.states or any(map(_has_effect, r.nodes)) for r in node.regions)


def _reads(region: Region) -> set[str]:
    inside = {v.name for node in region.nodes for v in node.inputs if v is not None}
    return inside | {v.name for v in region.outputs}


def _call(node: Call) -> Call:
    region = trimmed(node.region)
    first, along = set(range(_least(node))), node.along
    kept = [i for i, v in enumerate(region.inputs) if i in first or v.name in _reads(region)]
    region = replace(region, inputs=tuple(region.inputs[i] for i in kept))
    along = along and replace(along, cut=sum(along.carried <= i < along.own for i in kept))
    return replace(node, region=region, inputs=tuple(node.inputs[i] for i in kept), along=along)


def _least(node: Call) -> int:
    """How many of the first inputs stay, read or not: what is carried, and what tells how many positions."""
    return node.along.carried + 1 if node.along else 0


def _repeat(node: Repeat) -> Repeat:
    variants = tuple(trimmed(v) for v in node.variants)
    kept = [
        i for i in range(len(node.inputs))
        if i < node.own or any(v.inputs[i].name in _reads(v) for v in variants)
    ]  # fmt: skip
    variants = tuple(replace(v, inputs=tuple(v.inputs[i] for i in kept)) for v in variants)
    return replace(node, variants=variants, inputs=tuple(node.inputs[i] for i in kept))
