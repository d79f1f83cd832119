"""What a name in the writing of a number means at one place of a graph."""

from __future__ import annotations

from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, evaluate
from archspec.dims.expr import Expr
from archspec.dims.num import Num
from archspec.dims.num import Value as Setting
from archspec.ir.graph import Graph, Region

PAST = "past"


class Scope:
    """Names of one region, then those of the regions around it, then the sizes known only at run time."""

    def __init__(self, dims: frozenset[str], outer: Scope | None = None) -> None:
        self.dims, self.outer = dims, outer
        self.bindings: dict[str, Setting] = {}

    @classmethod
    def of(cls, dims: tuple[str, ...], stream: str | None) -> Scope:
        """Run-time sizes alone; `past` is one where something streams."""
        return cls(frozenset((*dims, PAST) if stream is not None else dims))

    def inside(self, region: Region | None = None) -> Scope:
        """The scope of a region here, with that region's bindings if it is given."""
        scope = Scope(self.dims, self)
        scope.bindings.update(region.bindings if region else ())
        return scope

    def seeing(self, size: str | None) -> Scope:
        """The scope here with one more size known only at run time."""
        return self if size is None else Scope(self.dims | {size}, self)

    def lookup(self, name: str) -> Setting:
        """The value of a name, written as that name; raises `KeyError(names)`."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings:
                found = scope.bindings[name]
                return n.named(name, found) if isinstance(found, Num) else found
            scope = scope.outer
        if name in self.dims:
            return n.symbol(name)
        raise KeyError(self.names())

    def names(self) -> tuple[str, ...]:
        """Every name that means something here, the nearest first."""
        scope: Scope | None = self
        found: dict[str, None] = {}
        while scope is not None:
            found.update(dict.fromkeys(scope.bindings))
            scope = scope.outer
        return (*found, *sorted(self.dims))

    def value(self, expr: Expr) -> Num | None:
        """The number that a writing gives here, if it gives one."""
        try:
            found = evaluate(expr, self.lookup)
        except EvalError:
            return None
        return found if isinstance(found, Num) else None

    def tells(self, number: Num) -> bool:
        """Whether the writing alone gives the value here, down to int or float."""
        again = self.value(number.expr)
        return again is not None and n.same(again, number) and type(again.value) is type(number.value)


def scope_of(graph: Graph) -> Scope:
    """The scope around the root. Defaults and losses stand inside the root's own."""
    return Scope.of(graph.dims, graph.stream)
