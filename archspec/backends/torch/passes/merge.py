"""What moves a tensor along one axis after another does so in one copy."""

from __future__ import annotations

from dataclasses import replace

from archspec.backends.torch.dialect import Moves
from archspec.backends.torch.passes.order import readers
from archspec.backends.torch.walk import map_regions
from archspec.ir.graph import Apply, Node, Region
from archspec.ir.ops.shape import Pad, Roll


def merge_moves(root: Region) -> Region:
    """Afterwards pads in a row, of one value and along different axes, are one `Moves`; and so rolls.

    Those that were first are left without a reader.
    """
    return map_regions(root, _rewritten)


def _rewritten(region: Region) -> Region:
    made: dict[str, Apply] = {}
    nodes: list[Node] = []
    for node in region.nodes:
        if isinstance(node, Apply) and isinstance(node.op, Pad | Roll):
            node = _joined(region, node, made)
            made[node.outputs[0].name] = node
        nodes.append(node)
    return replace(region, nodes=tuple(nodes))


def _joined(region: Region, node: Apply, made: dict[str, Apply]) -> Apply:
    """The node, with what it alone reads if that is of its kind."""
    value = node.inputs[0]
    first = made.get(value.name) if value else None
    if first is None or value is None or len(readers(region, value)) > 1 or value in region.outputs:
        return node
    steps = (*_steps(first), *_steps(node))
    axes = {step.axis % value.type.rank for step in steps}
    kinds = {(type(step), step.value.value if isinstance(step, Pad) else None) for step in steps}
    if len(kinds) > 1 or len(axes) < len(steps):
        return node
    return replace(node, op=Moves(steps), inputs=first.inputs)


def _steps(node: Apply) -> tuple[Pad | Roll, ...]:
    if isinstance(node.op, Moves):
        return node.op.steps
    assert isinstance(node.op, Pad | Roll)
    return (node.op,)
