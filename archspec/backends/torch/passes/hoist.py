"""Moves masks and tables that are the same for every layer out of the layers, up to where they can first be made."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from archspec.backends.torch.dialect import Mask, MaskedBias
from archspec.backends.torch.passes.attention import fresh
from archspec.dims.num import Num, outward
from archspec.dims.num import Value as Setting
from archspec.ir.graph import Apply, Call, Node, Region, Repeat, Value
from archspec.ir.op import Op
from archspec.ir.ops.attention import RopeTable
from archspec.ir.ops.shape import Reshape
from archspec.ir.ops.source import Iota
from archspec.ir.types import TensorType

ROOTS = (Mask, MaskedBias, RopeTable)
HELPERS = (Iota, Reshape)




def hoist(root: Region) -> Region:
    """Afterwards what only depends on things outside of a layer is computed once, outside of it."""
    return replace(root, nodes=_nodes(root))


def _nodes(region: Region) -> tuple[Node, ...]:
    """The region's nodes; what its children give up stands before them."""
    out: list[Node] = []
    made: dict[Any, tuple[Value, ...]] = {}
    taken = {v.name for v in region.inputs} | {v.name for node in region.nodes for v in node.outputs} | {p.name for p in region.params}
    for node in region.nodes:
        if isinstance(node, Apply):
            out.append(node)
            continue
        out += _child(node, made, taken)
    return tuple(out)


def _child(node: Call | Repeat, made: dict[Any, tuple[Value, ...]], taken: set[str]) -> list[Node]:
    before: list[Node] = []
    carried = len(node.outputs) if isinstance(node, Repeat) else 0
    extra: list[Value] = []
    regions: list[Region] = []
    added: list[list[tuple[Value, Value]]] = []
    for region in node.regions:
        region = replace(region, nodes=_nodes(region))
        region, lifted = _lift(region, carried)
        outer = {v.name: o for v, o in zip(region.inputs, node.inputs, strict=True)}
        placed = [(v, o) for inner in lifted for v, o in zip(inner.outputs, _place(inner, region, outer, before, made, taken), strict=True)]
        read = {v.name for kept in region.nodes for v in kept.inputs if v is not None}
        added.append([(v, o) for v, o in placed if v.name in read])
        regions.append(region)
    for pairs in added:
        extra += [o for _, o in pairs if o not in extra]
    regions = [_receive(r, pairs, extra) for r, pairs in zip(regions, added, strict=True)]
    inputs = (*node.inputs, *extra)
    if isinstance(node, Call):
        return [*before, replace(node, region=regions[0], inputs=inputs)]
    return [*before, replace(node, variants=tuple(regions), inputs=inputs)]


def _lift(region: Region, carried: int) -> tuple[Region, list[Apply]]:
    """The region without the nodes that can be made outside, and those nodes in order."""
    free = {v.name for v in region.inputs[carried:]}
    movable: list[Apply] = []
    for node in region.nodes:
        if isinstance(node, Apply) and isinstance(node.op, ROOTS + HELPERS) and all(v is None or v.name in free for v in node.inputs):
            movable.append(node)
            free |= {o.name for o in node.outputs}
    movable = _useful(region, movable)
    kept = tuple(node for node in region.nodes if node not in movable)
    return replace(region, nodes=kept), movable


def _useful(region: Region, movable: list[Apply]) -> list[Apply]:
    """Roots, and helpers that only roots read."""
    chosen = [node for node in movable if isinstance(node.op, ROOTS)]
    for node in reversed(movable):
        readers = [other for other in region.nodes if any(v in node.outputs for v in other.inputs)]
        if node not in chosen and readers and all(r in chosen for r in readers):
            chosen.append(node)
    return [node for node in movable if node in chosen]


def _place(
    node: Apply, region: Region, outer: dict[str, Value], before: list[Node], made: dict[Any, tuple[Value, ...]], taken: set[str]
) -> tuple[Value, ...]:
    """The node in the region around, once for all that ask for the same; `outer` learns its results."""
    inputs = tuple(None if v is None else outer[v.name] for v in node.inputs)
    op = _outward_op(node.op, region.bindings)
    key = (op, inputs)
    if key not in made:
        outputs = tuple(replace(v, name=fresh(v.name, taken), type=_outward_type(v.type, region)) for v in node.outputs)
        made[key] = outputs
        before.append(Apply(op, inputs, outputs, node.span))
    outer.update({v.name: o for v, o in zip(node.outputs, made[key], strict=True)})
    return made[key]


def _receive(region: Region, pairs: list[tuple[Value, Value]], extra: list[Value]) -> Region:
    """The region with one more input per lifted value; those that it does not use get a name of their own."""
    inner: dict[str, Value] = {}
    for value, outer in pairs:
        region = _reading(region, value, inner.setdefault(outer.name, value))
    taken = {v.name for v in (*region.inputs, *inner.values())} | {o.name for node in region.nodes for o in node.outputs}
    inputs = tuple(inner.get(o.name) or replace(o, name=fresh(o.name, taken)) for o in extra)
    return replace(region, inputs=(*region.inputs, *inputs))


def _reading(region: Region, old: Value, new: Value) -> Region:
    """The region with `new` wherever it read `old`."""
    if old == new:
        return region
    nodes = tuple(replace(node, inputs=tuple(new if v == old else v for v in node.inputs)) for node in region.nodes)
    return replace(region, nodes=nodes)


def _outward_op(op: Op, bindings: tuple[tuple[str, Setting], ...]) -> Op:
    """The operation with its numbers written as the region around writes them."""
    if not bindings:
        return op
    return type(op)(**{f.name: _outward(getattr(op, f.name), bindings) for f in fields(op)})  # type: ignore[arg-type]  # ops are dataclasses


def _outward(value: Any, bindings: tuple[tuple[str, Setting], ...]) -> Any:
    if isinstance(value, Num):
        return outward(value, dict(bindings))
    return tuple(_outward(v, bindings) for v in value) if isinstance(value, tuple) else value


def _outward_type(type_: TensorType, region: Region) -> TensorType:
    return TensorType(type_.dtype, tuple(outward(d, dict(region.bindings)) for d in type_.shape))
