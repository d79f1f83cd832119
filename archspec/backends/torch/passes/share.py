"""Layers of which some lack a number, and go by other kernels for that, become alike."""

from __future__ import annotations

from dataclasses import replace

from archspec.backends.torch.dialect import AttendByKernel, AttendWhere
from archspec.backends.torch.walk import map_regions
from archspec.dims import num as n
from archspec.ir.graph import Apply, Call, Node, Region, Repeat


def share_layers(root: Region) -> Region:
    """Afterwards layers with a window and layers without choose their kernels themselves."""
    return map_regions(root, lambda region: replace(region, nodes=tuple(map(_shared, region.nodes))))


def _shared(node: Node) -> Node:
    if not isinstance(node, Repeat):
        return node
    variants = node.variants
    for word in dict.fromkeys(word for variant in variants for word, _ in variant.bindings):
        there = next((v for v in variants if word in dict(v.bindings)), None)
        absent = next((v for v in variants if word not in dict(v.bindings)), None)
        if there is not None and absent is not None:
            variants = tuple(_choosing(variant, word, there, absent) for variant in variants)
    return replace(node, variants=variants)


def _choosing(layer: Region, word: str, there: Region, absent: Region) -> Region:
    """The layer; where it lacks the word, None is what it is called, if that decides anything."""
    lacks = word not in dict(layer.bindings)
    out = _rewritten(layer, word, absent if lacks else there, (there, absent))
    return replace(out, bindings=(*out.bindings, (word, None))) if lacks and out != layer else out


def _rewritten(region: Region, word: str, like: Region, pair: tuple[Region, Region]) -> Region:
    """The region with its kernels as those of both layers; `like`: the layer of its own kind."""
    nodes = [x.nodes for x in (region, like, *pair)]
    if len({len(x) for x in nodes}) > 1:
        return region
    return replace(region, nodes=tuple(_node(word, *each) for each in zip(*nodes, strict=True)))


def _node(word: str, node: Node, like: Node, there: Node, absent: Node) -> Node:
    match node, like, there, absent:
        case Call(), Call(), Call(), Call():
            pair = there.region, absent.region
            return replace(node, region=_rewritten(node.region, word, like.region, pair))
        case (
            Apply(op=AttendByKernel() as own, inputs=inputs),
            Apply(op=AttendByKernel(module=module)),
            Apply(op=AttendByKernel() as first),
            Apply(op=AttendByKernel() as second),
        ) if own.module == module and inputs == there.inputs == absent.inputs and _reads(first, word):
            op = AttendWhere(word, first, second)
            return replace(node, op=op) if first.module != second.module else node
        case _:
            return node


def _reads(op: AttendByKernel, word: str) -> bool:
    return any(word in n.reads(number) for number in op.numbers)
