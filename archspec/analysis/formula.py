"""Totals as closed forms over the params of a spec: one expression, evaluated thousands of times a second.

Numbers of a graph know how they were written, so that a total is written too. It holds where only numbers
change, not which modules there are: whoever evaluates it elsewhere should compare its ends with their graphs.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from archspec.analysis.routing import routing
from archspec.analysis.sizes import Sizes
from archspec.dims import num as n
from archspec.dims.expr import Binary, Call, Conditional, Expr, Literal, Name, Unary, names, substitute
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Graph, Node, Region, Repeat
from archspec.ir.graph import Call as Run

Values: TypeAlias = Mapping[str, float]
Compiled: TypeAlias = Callable[[Values], float]

_TWO: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


def _absolute(x: float) -> float:
    return abs(x)


def _round_up(x: float, multiple: float) -> float:
    return -(-x // multiple) * multiple


_CALLS: dict[str, Callable[..., float]] = {
    "min": min, "max": max, "abs": _absolute, "round": round, "floor": math.floor, "ceil": math.ceil,
    "int": int, "whole": int, "float": float, "sqrt": math.sqrt, "log": math.log, "log2": math.log2,
    "exp": math.exp, "round_up": _round_up,
}  # fmt: skip


_NONE, _ONE = Literal(0), Literal(1)


class UnwrittenError(Exception):
    """A total has no closed form: it is written with something that is no arithmetic."""


class Formula(Struct, frozen=True):
    """A sum of terms over `names`: params of the spec, and sizes known only when the model runs."""

    terms: tuple[Expr, ...]
    run: tuple[Compiled, ...]

    @classmethod
    def of(cls, terms: Iterator[Expr]) -> Formula:
        """Raises UnwrittenError."""
        kept = tuple(terms)
        return cls(kept, tuple(map(compiled, kept)))

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for term in self.terms for name in names(term))

    def __call__(self, values: Values) -> int:
        """The total. Raises KeyError for a name without a value."""
        return int(sum(term(values) for term in self.run))


class _Place(Struct, frozen=True):
    """A region, what its names mean outside, how often it runs, and how many have parameters of their own."""

    path: str
    region: Region
    scope: dict[str, Expr]
    runs: Expr
    copies: Expr

    def written(self, number: Num, times: Expr) -> Expr:
        return _times(times, substitute(number.expr, self.scope))


def parameters_formula(graph: Graph) -> Formula:
    """Learned numbers; tensors that are tied to others are left out. Raises UnwrittenError."""
    aliases = {alias for alias, _ in graph.ties}
    return Formula.of(
        place.written(n.product(param.value.type.shape), place.copies)
        for place in _walk(_root(graph))
        for param in place.region.params
        if param.trainable and place.copies != _NONE and f"{place.path}{param.name}" not in aliases
    )


def flops_formula(graph: Graph) -> Formula:
    """Full FLOPs of the products of a forward pass, over params, sizes and `past`. Raises UnwrittenError."""
    return Formula.of(
        place.written(node.op.flops(*[x and x.type for x in node.inputs]), place.runs)
        for place in _walk(_root(graph))
        for node in place.region.nodes
        if isinstance(node, Apply) and node.op.work == "product"
    )


def _root(graph: Graph) -> _Place:
    return _Place("", graph.root, {}, _ONE, _ONE)


def _walk(place: _Place) -> Iterator[_Place]:
    yield place
    for node in place.region.nodes:
        for name, inner, count, more in _below(node, place.region):
            bound = {key: value.expr for key, value in inner.bindings if isinstance(value, Num)}
            scope = place.scope | {key: substitute(x, place.scope) for key, x in (bound | more).items()}
            times = substitute(count, place.scope)
            runs = place.runs if more else _times(place.runs, times)
            copies = _copies(node, place.copies, times)
            yield from _walk(_Place(f"{place.path}{name}.", inner, scope, runs, copies))


def _copies(node: Node, around: Expr, times: Expr) -> Expr:
    """A module that was called before has no parameters of its own; layers that share them have them once."""
    if isinstance(node, Run) and node.shared:
        return _NONE
    shared = isinstance(node, Repeat) and node.shared
    return around if shared or around == _NONE else _times(around, times)


def _below(node: Node, region: Region) -> Iterator[tuple[str, Region, Expr, dict[str, Expr]]]:
    """The regions in a node, how many there are, and the rows that all experts of a kind have together."""
    if isinstance(node, Run):
        yield node.region.name, node.region, _ONE, {}
    elif isinstance(node, Repeat):
        for index, variant in enumerate(node.variants):
            alone = len(node.variants) == 1
            count = node.count.expr if alone else Literal(node.schedule.count(index))
            share = _ONE if alone else Binary("/", count, node.count.expr)
            yield f"{node.name}.*", variant, count, _rows(node, region, share)


def _rows(node: Repeat, region: Region, share: Expr) -> dict[str, Expr]:
    if node.rows is None:
        return {}
    chosen = routing(node, region, Sizes({})).chosen.expr
    return {node.rows: _times(_times(n.product(node.inputs[0].type.shape[:-1]).expr, chosen), share)}


def _times(a: Expr, b: Expr) -> Expr:
    return b if a == _ONE else a if b == _ONE else Binary("*", a, b)


def compiled(expr: Expr) -> Compiled:
    """The expression as a function of the values of its names. Raises UnwrittenError."""
    match expr:
        case Literal(value=int() | float() as value):
            return lambda _: value
        case Name(id=name):
            return operator.itemgetter(name)
        case Unary(op="-", operand=x):
            inner = compiled(x)
            return lambda values: -inner(values)
        case Binary(op=op, left=a, right=b) if op in _TWO:
            function, left, right = _TWO[op], compiled(a), compiled(b)
            return lambda values: function(left(values), right(values))
        case Call(function=name, args=args, kwargs=()) if name in _CALLS:
            call, given = _CALLS[name], tuple(map(compiled, args))
            return lambda values: call(*[each(values) for each in given])
        case Conditional(test=test, then=a, orelse=b):
            which, yes, no = map(compiled, (test, a, b))
            return lambda values: yes(values) if which(values) else no(values)
        case _:
            raise UnwrittenError
