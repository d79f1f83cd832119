"""One node in place of several of a region."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.torch.passes.attention import fresh
from archspec.dims import num as n
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.ops.source import Full


def replaced(region: Region, inside: Sequence[Node], new: Sequence[Node]) -> tuple[Node, ...]:
    """All nodes in order, with `new` in place of `inside`: behind what it reads and before what reads it."""
    end = region.nodes.index(inside[-1])
    made = {v.name for node in inside for v in node.outputs}
    early, late = list[Node](), list[Node]()
    for node in region.nodes[: end + 1]:
        if any(node is i for i in inside):
            continue
        depends = any(v is not None and v.name in made for v in node.inputs)
        made |= {v.name for v in node.outputs} if depends else set()
        (late if depends else early).append(node)
    return (*early, *new, *late, *region.nodes[end + 1 :])


def readers(region: Region, value: Value) -> list[Node]:
    """The nodes that read a value."""
    return [node for node in region.nodes if value in node.inputs]


def taken(region: Region) -> set[str]:
    """The names of all values of a region."""
    return {v.name for v in region.inputs} | {v.name for node in region.nodes for v in node.outputs}


def start(scan: Apply, names: set[str]) -> tuple[Value, tuple[Node, ...]]:
    """What a scan starts from, and the node that makes it where there was none, under none of these names."""
    given = scan.inputs[2] if len(scan.inputs) > 2 else None
    if given is not None:
        return given, ()
    type_ = scan.outputs[1].type
    value = Value(fresh("before", names), type_)
    return value, (Apply(Full(type_.shape, n.num(0), type_.dtype), (), (value,), scan.span),)
