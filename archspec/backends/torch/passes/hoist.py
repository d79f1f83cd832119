"""Moves masks and tables that are the same for every layer out of the layers, as far as they can go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from archspec.backends.torch.dialect import Mask, MaskedBias, Score
from archspec.backends.torch.passes.attention import fresh
from archspec.dims.num import Num, outward
from archspec.dims.num import Value as Setting
from archspec.ir.graph import Apply, Call, Node, Region, Repeat, Value
from archspec.ir.op import Op
from archspec.ir.ops.attention import RopeFrequencies, RopeTable
from archspec.ir.ops.elementwise import Arith, Clamp, Compare, CompareScalar, Logic, Map, Scalar, Where
from archspec.ir.ops.shape import Reshape
from archspec.ir.ops.source import Cast, Iota
from archspec.ir.types import TensorType

ROOTS = (Mask, Score, MaskedBias, RopeFrequencies, RopeTable)
HELPERS = (Iota, Reshape, Cast, Map, Arith, Scalar, Compare, CompareScalar, Logic, Where, Clamp)

Pairs: TypeAlias = list[tuple[Value, Value]]
"""A value in a region, and what it is outside."""


def hoist(root: Region) -> Region:
    """Afterwards what only depends on things outside of a layer is computed once, outside of it."""
    around = _Around({*_names(root)})
    return replace(root, nodes=tuple(new for node in root.nodes for new in around.moved(node)))


def _names(region: Region) -> Iterable[str]:
    made = (output for node in region.nodes for output in node.outputs)
    return [value.name for value in (*region.inputs, *made, *(p.value for p in region.params))]


@dataclass(slots=True)
class _Around:
    """A region that its children give things up to. `made`: what they did, by operation and operands."""

    taken: set[str]
    made: dict[tuple[Op, tuple[Value | None, ...]], tuple[Value, ...]] = field(
        default_factory=dict[tuple[Op, "tuple[Value | None, ...]"], "tuple[Value, ...]"]
    )

    def moved(self, node: Node) -> list[Node]:
        """The node, behind what its regions give up."""
        if isinstance(node, Apply):
            return [node]
        before: list[Node] = []
        lifted = [_lift(hoist(region), node.own) for region in node.regions]
        pairs = [self._placed(region, given_up, node, before) for region, given_up in lifted]
        extra = tuple(dict.fromkeys(outer for found in pairs for _, outer in found))
        regions = tuple(_receive(r, found, extra) for (r, _), found in zip(lifted, pairs, strict=True))
        inputs = (*node.inputs, *extra)
        if isinstance(node, Call):
            return [*before, replace(node, region=regions[0], inputs=inputs)]
        return [*before, replace(node, variants=regions, inputs=inputs)]

    def _placed(
        self, region: Region, given_up: Sequence[Apply], node: Call | Repeat, before: list[Node]
    ) -> Pairs:
        """Puts into `before` what a region gives up; gives the values of it that the region still reads."""
        outer = {inner.name: value for inner, value in zip(region.inputs, node.inputs, strict=True)}
        label = region.name.split(".")[0] if isinstance(node, Call) else ""
        for inner in given_up:
            inputs = tuple(None if v is None else outer[v.name] for v in inner.inputs)
            op = _outward_op(inner.op, region.bindings)
            if (op, inputs) not in self.made:
                self.made[op, inputs] = tuple(self._named(v, region, label) for v in inner.outputs)
                before.append(Apply(op, inputs, self.made[op, inputs], inner.span))
            outer |= {v.name: o for v, o in zip(inner.outputs, self.made[op, inputs], strict=True)}
        read = {v.name for kept in region.nodes for v in kept.inputs if v is not None}
        return [(v, outer[v.name]) for inner in given_up for v in inner.outputs if v.name in read]

    def _named(self, value: Value, region: Region, label: str) -> Value:
        """The value out here, where a second `mask` is called after the module that it is for."""
        hint = f"{label}_{value.name}" if label and value.name in self.taken else value.name
        shape = (outward(size, dict(region.bindings)) for size in value.type.shape)
        return replace(value, name=fresh(hint, self.taken), type=TensorType(value.type.dtype, tuple(shape)))


def _lift(region: Region, own: int) -> tuple[Region, list[Apply]]:
    """The region without the nodes that can be made outside, and those nodes in order."""
    free = {v.name for v in region.inputs[own:]}
    movable: list[Apply] = []
    for node in region.nodes:
        known = all(v is None or v.name in free for v in node.inputs)
        if isinstance(node, Apply) and isinstance(node.op, ROOTS + HELPERS) and known:
            movable.append(node)
            free |= {output.name for output in node.outputs}
    movable = _wanted(movable)
    kept = tuple(node for node in region.nodes if not any(node is other for other in movable))
    return replace(region, nodes=kept), movable


def _wanted(movable: Sequence[Apply]) -> list[Apply]:
    """Roots, and the helpers that they read."""
    chosen: list[Apply] = []
    read: set[str] = set()
    for node in reversed(movable):
        if isinstance(node.op, ROOTS) or any(output.name in read for output in node.outputs):
            chosen.append(node)
            read |= {v.name for v in node.inputs if v is not None}
    return chosen[::-1]


def _receive(region: Region, pairs: Pairs, extra: Sequence[Value]) -> Region:
    """The region with one more input per lifted value; those that it does not use get a name of their own."""
    inner: dict[str, Value] = {}
    for value, outer in pairs:
        region = _reading(region, value, inner.setdefault(outer.name, value))
    taken = {*_names(region), *(value.name for value in inner.values())}
    inputs = (inner.get(outer.name) or replace(outer, name=fresh(outer.name, taken)) for outer in extra)
    return replace(region, inputs=(*region.inputs, *inputs))


def _reading(region: Region, old: Value, new: Value) -> Region:
    """The region with `new` wherever it read `old`."""
    if old == new:
        return region
    nodes = (replace(n, inputs=tuple(new if v == old else v for v in n.inputs)) for n in region.nodes)
    return replace(region, nodes=tuple(nodes))


def _outward_op(op: Op, bindings: tuple[tuple[str, Setting], ...]) -> Op:
    """The operation with its numbers written as the region around writes them."""
    return type(op)(**{name: _outward(value, dict(bindings)) for name, value in op.attributes()})


def _outward(value: object, bindings: Mapping[str, Setting]) -> object:
    if isinstance(value, Num):
        return outward(value, bindings)
    if isinstance(value, tuple):
        return tuple(_outward(item, bindings) for item in cast("tuple[object, ...]", value))
    return value
