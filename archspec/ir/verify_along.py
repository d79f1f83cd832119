"""Rules of a call along an axis: what is cut has that axis, what is carried goes on, no run keeps state."""

from __future__ import annotations

from typing import TypeAlias

from archspec.dims import num as n
from archspec.ir.along import Along, at_position
from archspec.ir.graph import Call, Region
from archspec.ir.types import TensorType
from archspec.ir.verify_names import Findings, shown

Types: TypeAlias = list[TensorType]


def types_along(node: Call, found: Findings) -> tuple[Types | None, Types | None]:
    """What one run takes and gives, where that is not the types of the call's inputs and results.

    Adds I124.
    """
    along, region = node.along, node.region
    if along is None:
        return None, None
    if not _counts(node, along):
        problem = f"carries {along.carried} values and cuts {along.cut} along axis {along.axis}"
        given = f"of {shown([v.type for v in node.inputs])} for {shown([v.type for v in node.outputs])}"
        found.add("I124", f"'{region.name}' {problem} {given}", node.span)
        return None, None
    carried = [v.type for v in region.inputs[: along.carried]]
    goes_on = [v.type for v in region.outputs[: along.carried]]
    if carried != goes_on:
        problem = f"carries {shown(carried)} along an axis, but gives {shown(goes_on)}"
        found.add("I124", f"'{region.name}' {problem}", node.span)
    if any(v.optional for v in region.inputs[: along.own]):
        found.add("I124", f"'{region.name}' carries or cuts what may be absent", node.span)
    if keeps_state(region):
        found.add("I124", f"'{region.name}' runs along an axis, but keeps state from step to step", node.span)
    last, joined = node.outputs[: along.carried], node.outputs[along.carried :]
    given = [*(v.type for v in last), *(at_position(v.type, along.axis) for v in joined)]
    return along.inside([v.type for v in node.inputs]), given


def _counts(node: Call, along: Along) -> bool:
    """Whether there are as many values, and all that is cut or joined has one length along the axis."""
    few = along.axis < 0 or along.carried < 1 or along.cut < 1
    if few or len(node.inputs) < along.own or len(node.outputs) < along.carried:
        return False
    long = [v.type for v in (*node.inputs[along.carried : along.own], *node.outputs[along.carried :])]
    if any(type_.rank <= along.axis for type_ in long):
        return False
    return all(n.same(type_.shape[along.axis], long[0].shape[along.axis]) for type_ in long)


def keeps_state(region: Region) -> bool:
    """Whether a region, or one inside it, keeps something while decoding."""
    inner = (below for node in region.nodes for below in node.regions)
    return bool(region.states) or any(map(keeps_state, inner))
