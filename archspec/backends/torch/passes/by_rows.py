"""Modules that make each row wider and narrow again, such as an MLP, run on some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from archspec.backends.torch.dialect import Attend, ByRows
from archspec.backends.torch.passes.along import same_shape
from archspec.backends.torch.walk import map_regions
from archspec.ir.graph import Apply, Call, Node, Region, Value
from archspec.ir.ops.contract import Linear
from archspec.ir.ops.elementwise import Arith, Clamp, Dropout, Map, Scalar
from archspec.ir.ops.shape import Split

WIDEST = 1024  # beyond that the rows at a time are so few that `by_rows` takes them all
_ROWWISE = (Map, Arith, Scalar, Clamp, Dropout)


def run_by_rows(root: Region) -> Region:
    """Afterwards such modules are `ByRows`, where attention goes by blocks: a model for long texts."""
    by_blocks = any(isinstance(node, Apply) and _by_blocks(node) for node in _nodes(root))
    return map_regions(root, _marked) if by_blocks else root


def _by_blocks(node: Apply) -> bool:
    return isinstance(node.op, Attend) and node.op.blocks


def _nodes(region: Region) -> Iterator[Node]:
    for node in region.nodes:
        yield node
        for inner in node.regions:
            yield from _nodes(inner)


def _marked(region: Region) -> Region:
    return ByRows(*(getattr(region, each.name) for each in fields(region))) if _fits(region) else region


def _fits(region: Region) -> bool:
    """Whether one x [.., D] is made wider, and narrow again."""
    if len(region.inputs) != 1 or len(region.outputs) != 1 or region.states:
        return False
    (x,), (y,) = region.inputs, region.outputs
    width = x.type.shape[-1] if x.type.rank > 1 and not x.optional else None
    if width is None or not width.static or not same_shape(x.type.shape, y.type.shape):
        return False
    made = [value.type.shape[-1] for node in region.nodes for value in node.outputs if value.type.rank]
    wider = any(size.static and size.real > width.real for size in made)
    return wider and width.real <= WIDEST and all(_is_rowwise(node, x) for node in region.nodes)


def _is_rowwise(node: Node, x: Value) -> bool:
    """Whether a node treats each row alone: all that it reads and makes has a row for each of x."""
    match node:
        case Call(along=None):
            inside = all(_is_rowwise(inner, x) for inner in node.region.nodes)
            return inside and not node.region.states and _has_rows(node, x)
        case Apply(op=Linear()):
            return node.inputs[0] is not None and _alike(node.inputs[0], x)
        case Apply(op=Split() as op):
            return op.axis % x.type.rank == x.type.rank - 1 and _has_rows(node, x)
        case Apply():
            return isinstance(node.op, _ROWWISE) and _has_rows(node, x)
        case _:
            return False


def _has_rows(node: Call | Apply, x: Value) -> bool:
    return all(v is not None and _alike(v, x) for v in (*node.inputs, *node.outputs))


def _alike(value: Value, x: Value) -> bool:
    """Whether a value has a row for each of x."""
    return value.type.rank == x.type.rank and same_shape(value.type.shape[:-1], x.type.shape[:-1])
