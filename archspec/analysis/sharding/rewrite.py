"""The graph that one device runs: the same nodes on parts of parameters and values.

What is cut is written as a number, not by its name: `num_heads` still is the model's. Where a device has a
part of something counted (`iota`), this is the first device's graph; the others differ in where they begin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from msgspec.structs import replace as changed

from archspec.analysis.sharding.cut import Cut
from archspec.analysis.sharding.tensor import Tensor
from archspec.analysis.sharding.trace import Place, Trace
from archspec.dims import num as n
from archspec.ir.graph import Apply, Call, Graph, Loss, Node, Param, Region, Repeat, State, Value
from archspec.ir.op import Op
from archspec.ir.ops import contract, shape, source
from archspec.ir.ops.state import Append, Stateful
from archspec.ir.types import TensorType

Sized: TypeAlias = Callable[[Any, Sequence[TensorType], Sequence[TensorType]], Op]


def rewrite(trace: Trace, cut: Cut, ep: int = 1) -> Graph:
    """The per-device graph; it keeps every rule of the IR. `ep`: how many devices share the experts."""
    graph, writer = trace.graph, _Writer(cut, ep)
    root = writer.region(trace.root)
    values = trace.root.values
    outputs = tuple((name, writer.value(value, values[value.name])) for name, value in graph.outputs)
    losses = tuple(
        Loss(loss.name, writer.region(place), loss.feed)
        for loss, place in zip(graph.losses, trace.losses, strict=True)
    )
    return replace(graph, root=root, outputs=outputs, losses=losses)


class _Writer:
    def __init__(self, cut: Cut, ep: int) -> None:
        self.cut, self.ep = cut, ep

    def value(self, value: Value, tensor: Tensor) -> Value:
        return replace(value, type=self.type(value, tensor))

    def type(self, value: Value, tensor: Tensor) -> TensorType:
        """Sizes that are not cut stay as this region writes them."""
        sizes = zip(value.type.shape, tensor.axes, strict=True)
        return value.type.with_shape(*(self.cut.size(a) if self.cut.is_cut(a) else s for s, a in sizes))

    def region(self, place: Place) -> Region:
        region, values = place.region, place.values
        nodes = [out for i, node in enumerate(region.nodes) for out in self.node(place, i, node)]
        return replace(
            region,
            inputs=tuple(self.value(v, values[v.name]) for v in region.inputs),
            outputs=tuple(self.value(v, values[v.name]) for v in region.outputs),
            params=tuple(self.param(p, values[p.name]) for p in region.params),
            states=tuple(self.state(s, nodes) for s in region.states),
            nodes=tuple(nodes),
        )

    def param(self, param: Param, tensor: Tensor) -> Param:
        return replace(param, value=self.value(param.value, tensor))

    def node(self, place: Place, number: int, node: Node) -> list[Node]:
        values, outputs = place.values, node.outputs
        made = tuple(self.value(v, values[v.name]) for v in outputs)
        if isinstance(node, Apply):
            given = tuple(v and self.value(v, values[v.name]) for v in node.inputs)
            op = resized(node.op, [v.type for v in given if v is not None], [v.type for v in made])
            return [replace(node, op=op, inputs=given, outputs=made)]
        taken = tuple(self.value(v, values[v.name]) for v in node.inputs)
        inside = tuple(map(self.region, place.below[number]))
        if isinstance(node, Call):
            return [replace(node, region=inside[0], inputs=taken, outputs=made)]
        node = replace(node, variants=inside, inputs=taken, outputs=made)
        return [node] if node.rows is None or self.ep == 1 else self.experts(place, node)

    def experts(self, place: Place, node: Repeat) -> list[Node]:
        """The first device's experts, and the gates of these alone."""
        count = int(node.count) // self.ep
        gates = node.inputs[1]
        name = _unused(f"{gates.name}_here", place)
        few = Value(name, gates.type.with_shape(*gates.type.shape[:-1], n.num(count)))
        slice_ = Apply(shape.Slice(-1, n.num(0), n.num(count)), (gates,), (few,))
        inputs = (node.inputs[0], few, *node.inputs[2:])
        schedule = node.schedule[:count]
        kept = replace(node, inputs=inputs, schedule=schedule, count=n.num(count))
        return [slice_, replace(kept, variants=node.variants[: max(schedule) + 1])]

    def state(self, state: State, nodes: Sequence[Node]) -> State:
        """What is kept is of the types that an operation gives it."""
        for node in nodes:
            if isinstance(node, Apply) and isinstance(node.op, Stateful) and node.op.state == state.name:
                given = [v.type for v in node.inputs if v is not None]
                axis = node.op.axis if isinstance(node.op, Append) else None
                return replace(state, types=tuple(map(_resized, state.types, given, [axis] * len(given))))
        return state


def _resized(kept: TensorType, given: TensorType, axis: int | None) -> TensorType:
    """The type that is kept with the sizes that are given; along `axis` it grows by itself."""
    pairs = enumerate(zip(kept.shape, given.shape, strict=True))
    grows = None if axis is None else axis % kept.rank
    return kept.with_shape(*(a if i == grows or n.same(a, b) else b for i, (a, b) in pairs))


def _unused(name: str, place: Place) -> str:
    while name in place.values:
        name += "_"
    return name


def resized(op: Op, given: Sequence[TensorType], made: Sequence[TensorType]) -> Op:
    """The operation with the sizes among its attributes that its results have on one device."""
    rule = _SIZES.get(type(op))
    return op if rule is None else rule(op, given, made)


def _shape(op: Any, given: Sequence[TensorType], made: Sequence[TensorType]) -> Op:
    kept = (a if n.same(a, b) else b for a, b in zip(op.shape, made[0].shape, strict=True))
    return changed(op, shape=tuple(kept))


def _count(op: source.Iota, given: Sequence[TensorType], made: Sequence[TensorType]) -> Op:
    size = made[0].shape[0]
    return op if n.same(op.size, size) else changed(op, size=size)


def _pieces(op: shape.Split, given: Sequence[TensorType], made: Sequence[TensorType]) -> Op:
    sizes = zip(op.sizes, (x.shape[op.axis] for x in made), strict=True)
    return changed(op, sizes=tuple(a if n.same(a, b) else b for a, b in sizes))


def _groups(
    op: contract.Conv | contract.ConvTranspose, given: Sequence[TensorType], made: Sequence[TensorType]
):
    """Channels that stand alone are as many groups."""
    channels = given[0].shape[1]
    alone = op.groups.value != 1 and given[1].shape[1].value == 1
    return changed(op, groups=channels) if alone and not n.same(op.groups, channels) else op


_SIZES: dict[type[Op], Sized] = {
    shape.Reshape: _shape,
    shape.Expand: _shape,
    source.Full: _shape,
    source.Random: _shape,
    source.Iota: _count,
    shape.Split: _pieces,
    contract.Conv: _groups,
    contract.ConvTranspose: _groups,
}
