"""Leaves out what changes nothing: a roll by 0, `x + 0`, `x * 1`, and what numbers decide in a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from msgspec import structs

from archspec.dims.evaluate import EvalError, evaluate
from archspec.dims.expr import Binary, Expr, Literal, Unary, names
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Call, Graph, Node, Region, Repeat, Value
from archspec.ir.op import Op
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.elementwise import Scalar
from archspec.ir.ops.shape import Roll

NEUTRAL = {"add": 0, "sub": 0, "mul": 1, "div": 1, "pow": 1}


def fold(graph: Graph) -> Graph:
    """Afterwards no operation gives its operand back as it is, and no mask has a term without an index.

    What only such terms read is left without a reader: `trim` comes next.
    """
    return replace(graph, root=folded(graph.root))


def folded(region: Region) -> Region:
    """The region, and all regions in it, without what changes nothing."""
    same: dict[str, Value] = {}
    nodes: list[Node] = []
    for node in region.nodes:
        node = replace(node, inputs=tuple(v and same.get(v.name, v) for v in node.inputs))
        if isinstance(node, Apply) and _changes_nothing(node) and node.outputs[0] not in region.outputs:
            given = node.inputs[0]
            assert given is not None, "an operand of these is never absent"
            same[node.outputs[0].name] = given
        else:
            nodes.append(_inside(node))
    return replace(region, nodes=tuple(nodes))


def _inside(node: Node) -> Node:
    if isinstance(node, Call):
        return replace(node, region=folded(node.region))
    if isinstance(node, Repeat):
        return replace(node, variants=tuple(map(folded, node.variants)))
    return _decided(node, node.op) if isinstance(node.op, Attention) else node


def _changes_nothing(node: Apply) -> bool:
    given = node.inputs[0] if node.inputs else None
    if given is None or given.optional or not _is_neutral(node.op):
        return False
    return given.type == node.outputs[0].type


def _is_neutral(op: Op) -> bool:
    """A number that is written as such, or a distance that is 0 in this layer."""
    if isinstance(op, Roll):
        return op.shift.static and op.shift.real == 0
    if not isinstance(op, Scalar) or (op.flip and op.fn not in ("add", "mul")):
        return False
    return isinstance(op.value.expr, Literal) and op.value.value == NEUTRAL.get(op.fn)


def _decided(node: Apply, op: Attention) -> Apply:
    """Attention without the terms of its mask that numbers decide, and without what only these read."""
    mask = op.mask and reduced(op.mask, dict(op.names))
    if mask == op.mask:
        return node
    mask = None if mask == Literal(True) else mask
    read = {name for rule in (mask, op.score) if rule is not None for name in names(rule)}
    first = len(node.inputs) - len(op.operands)
    given = zip(op.operands, node.inputs[first:], strict=True)
    kept = [(name, value) for name, value in given if name in read]
    numbers = tuple((name, number) for name, number in op.names if name in read)
    op = structs.replace(op, mask=mask, operands=tuple(name for name, _ in kept), names=numbers)
    return replace(node, op=op, inputs=(*node.inputs[:first], *(value for _, value in kept)))


def reduced(mask: Expr, numbers: Mapping[str, Num]) -> Expr:
    """The mask with what its numbers decide decided."""
    match mask:
        case Binary(op="and" | "or" as op, left=left, right=right):
            return _joined(op, reduced(left, numbers), reduced(right, numbers))
        case Unary(op="not", operand=operand):
            inner = reduced(operand, numbers)
            return Literal(not inner.value) if isinstance(inner, Literal) else Unary("not", inner)
        case _:
            return _decision(mask, numbers)


def _joined(op: str, left: Expr, right: Expr) -> Expr:
    ends, neutral = Literal(op == "or"), Literal(op == "and")
    if ends in (left, right):
        return ends
    if neutral in (left, right):
        return right if left == neutral else left
    return Binary(op, left, right)


def _decision(term: Expr, numbers: Mapping[str, Num]) -> Expr:
    """True or false, where a term reads nothing but numbers."""
    if not set(names(term)) <= numbers.keys():
        return term
    try:
        value = evaluate(term, numbers.__getitem__)
    except EvalError:  # over sizes that are known only when the model runs
        return term
    return Literal(value) if isinstance(value, bool) else term
