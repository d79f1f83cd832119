"""Hands each layer of a loop its own value, where layers differ only in which one they read."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from msgspec import structs

from archspec.backends.torch.dialect import Attend, Layers
from archspec.backends.torch.scope import stem
from archspec.backends.torch.walk import map_regions
from archspec.ir.graph import Apply, Call, Node, Region, Repeat

Kind: TypeAlias = tuple[object, ...]


def feed_layers(root: Region) -> Region:
    """Afterwards layers with a window and layers without take their masks as the same input."""
    return map_regions(root, lambda region: replace(region, nodes=tuple(map(_fed, region.nodes))))


def _fed(node: Node) -> Node:
    if not isinstance(node, Repeat) or len(node.variants) == 1 or node.rows:
        return node
    first = range(len(node.outputs))
    reads = [_reads(variant, len(first)) for variant in node.variants]
    common = [p for p in reads[0] if all(p in places for places in reads)]
    own = [_by_kind(v, set(places) - {*common}) for v, places in zip(node.variants, reads, strict=True)]
    if not own[0] or any(kinds.keys() != own[0].keys() for kinds in own):
        return node
    feeds = tuple((*first, *common, *kinds.values()) for kinds in own)
    variants = [
        replace(variant, inputs=tuple(variant.inputs[p] for p in feed))
        for variant, feed in zip(node.variants, feeds, strict=True)
    ]
    alike = tuple(_alike(variants))
    return Layers(
        node.name, alike, node.schedule, node.count, node.inputs, node.outputs, node.shared, node.span,
        feeds=feeds,
    )  # fmt: skip


def _reads(region: Region, carried: int) -> list[int]:
    """Which inputs behind the carried ones the region reads."""
    read = {v.name for node in region.nodes for v in node.inputs if v is not None}
    read |= {v.name for v in region.outputs}
    return [p for p, value in enumerate(region.inputs) if p >= carried and value.name in read]


def _by_kind(region: Region, places: set[int]) -> dict[Kind, int]:
    """Inputs by what they are to the region: name, type, and which of several such."""
    out: dict[Kind, int] = {}
    for place in sorted(places, key=lambda p: (stem(region.inputs[p].name), p)):
        kind = (stem(region.inputs[place].name), region.inputs[place].type)
        out[*kind, sum(known[:2] == kind for known in out)] = place
    return out


def _alike(variants: list[Region]) -> list[Region]:
    """The variants, where an input that may be absent in one of them may be absent in all."""
    for place in range(len(variants[0].inputs)):
        if any(variant.inputs[place].optional for variant in variants):
            variants = [_optional(variant, place) for variant in variants]
    return variants


def _optional(region: Region, place: int) -> Region:
    """The region with an input that may be absent: then its attention is causal by itself."""
    value = region.inputs[place]
    if value.optional:
        return region
    absent = replace(value, optional=True)
    nodes: list[Node] = []
    for node in region.nodes:
        at = [p for p, v in enumerate(node.inputs) if v == value]
        if at and isinstance(node, Apply) and isinstance(node.op, Attend):
            node = replace(node, op=structs.replace(node.op, causal=node.op.implementation == "sdpa"))
        elif at and isinstance(node, Call):
            node = replace(node, region=_optional(node.region, at[0]))
        nodes.append(replace(node, inputs=tuple(absent if v == value else v for v in node.inputs)))
    inputs = tuple(absent if v == value else v for v in region.inputs)
    return replace(region, nodes=tuple(nodes), inputs=inputs)
