"""What the inputs of a forward method may be, as annotations say it."""

from __future__ import annotations

from archspec.backends.torch.dialect import MASK, Attend, AttendByFlex, Layers
from archspec.ir.graph import Apply, Node, Region, Repeat, Value


def taken_as(region: Region, value: Value) -> list[str]:
    """What an input of a region may be, as an annotation has it: after what reads it here, or below."""
    found = {
        kind
        for node in region.nodes
        for place, v in enumerate(node.inputs)
        if v == value
        for kind in _taken_as(node, place)
    }
    flexible = found & {"BlockMask", "Callable[..., Tensor]"}
    return sorted(flexible) if flexible else ["Tensor", *sorted(found)]


def _taken_as(node: Node, place: int) -> list[str]:
    """What a node takes in a place that is, or may be, no tensor."""
    if isinstance(node, Apply):
        if isinstance(node.op, AttendByFlex):
            return {MASK: ["BlockMask"], MASK + 1: ["Callable[..., Tensor]"]}.get(place, [])
        if not isinstance(node.op, Attend) or place != MASK:
            return []
        return ["Windows"] * node.op.blocks + ["Documents"] * node.op.documents
    regions = node.variants if isinstance(node, Repeat) else (node.region,)
    feeds = node.feeds if isinstance(node, Layers) else tuple(range(len(r.inputs)) for r in regions)
    pairs = (
        (r, r.inputs[p])
        for r, feed in zip(regions, feeds, strict=True)
        for p, at in enumerate(feed)
        if at == place
    )
    return [kind for r, v in pairs for kind in taken_as(r, v) if kind != "Tensor"]
