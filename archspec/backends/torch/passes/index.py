"""One place of an axis, cut out and the axis dropped, is an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from archspec.backends.torch.dialect import Select
from archspec.backends.torch.passes.along import same_shape
from archspec.backends.torch.walk import map_regions
from archspec.dims import num as n
from archspec.ir.graph import Apply, Node, Region
from archspec.ir.ops.shape import Reshape, Slice


def index_axes(root: Region) -> Region:
    """Afterwards `x[:, :1]` whose axis 1 is dropped is a `Select`; the `Slice` may be left, and unread."""
    return map_regions(root, _rewritten)


def _rewritten(region: Region) -> Region:
    applied = (node for node in region.nodes if isinstance(node, Apply))
    cuts = {node.outputs[0].name: node for node in applied if isinstance(node.op, Slice)}
    return replace(region, nodes=tuple(_indexed(node, cuts) for node in region.nodes))


def _indexed(node: Node, cuts: Mapping[str, Apply]) -> Node:
    value = node.inputs[0] if isinstance(node, Apply) and isinstance(node.op, Reshape) else None
    cut = cuts.get(value.name) if value else None
    source = cut.inputs[0] if cut else None
    if not isinstance(node, Apply) or cut is None or source is None or not isinstance(cut.op, Slice):
        return node
    axis, shape = cut.op.axis % source.type.rank, source.type.shape
    rest = (*shape[:axis], *shape[axis + 1 :])
    size, start = shape[axis], cut.op.start
    index = start if size.static or not n.same(start + 1, size) else n.num(-1)
    same = same_shape(node.outputs[0].type.shape, rest)
    return replace(node, op=Select(axis, index), inputs=(source,)) if same else node
