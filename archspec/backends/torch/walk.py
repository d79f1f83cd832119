"""Walking and rewriting nested regions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Listing, Name, Slice, Unary
from archspec.dims.num import Num
from archspec.dims.num import Value as Setting
from archspec.ir.graph import Call as CallNode
from archspec.ir.graph import Node, Region, Repeat


def map_regions(region: Region, change: Callable[[Region], Region]) -> Region:
    """Every region below, then the region itself, through `change`."""
    return change(replace(region, nodes=tuple(_map_node(node, change) for node in region.nodes)))


def _map_node(node: Node, change: Callable[[Region], Region]) -> Node:
    if isinstance(node, CallNode):
        return replace(node, region=map_regions(node.region, change))
    if isinstance(node, Repeat):
        return replace(node, variants=tuple(map_regions(v, change) for v in node.variants))
    return node


def substitute(expr: Expr, names: dict[str, Expr]) -> Expr:
    """The expression with names replaced."""

    def go(x: Expr) -> Expr:
        return substitute(x, names)

    match expr:
        case Name(id=name):
            return names.get(name, expr)
        case Unary():
            return replace(expr, operand=go(expr.operand))
        case Binary():
            return replace(expr, left=go(expr.left), right=go(expr.right))
        case Conditional():
            return replace(expr, test=go(expr.test), then=go(expr.then), orelse=go(expr.orelse))
        case Call():
            return replace(expr, args=tuple(map(go, expr.args)), kwargs=tuple((k, go(v)) for k, v in expr.kwargs))
        case Index():
            return replace(expr, base=go(expr.base), items=tuple(map(go, expr.items)))
        case Listing():
            return replace(expr, items=tuple(map(go, expr.items)))
        case Slice():
            return replace(expr, **{k: go(v) for k in ("start", "stop", "step") if (v := getattr(expr, k)) is not None})
        case _:
            return expr


def outward(number: Num, bindings: tuple[tuple[str, Setting], ...]) -> Num:
    """The number as the region around writes it."""
    names = {name: value.expr for name, value in bindings if isinstance(value, Num)}
    return Num(number.value, substitute(number.expr, names)) if names else number
