"""Costs by place: one line for each module and class of operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from archspec.analysis.cost import NOTHING, Cost
from archspec.analysis.gradients import Flags
from archspec.dims import poly
from archspec.dims.poly import Size

Rest: TypeAlias = tuple[tuple[str, str, Cost], ...]


class Line(Struct, frozen=True):
    """What a class of operations costs in one module, in all its runs together.

    `path` is that of the module, `*` or the numbers of layers for those that are alike. `kind` is linear,
    conv, attention, matmul, experts or elementwise. `backward` are the products that give gradients, `again`
    those that are computed a second time for them.
    """

    path: str
    kind: str
    runs: int
    forward: Cost
    backward: Cost = NOTHING
    again: Cost = NOTHING

    def __add__(self, other: Line) -> Line:
        return replace(
            self, runs=max(self.runs, other.runs), forward=self.forward + other.forward,
            backward=self.backward + other.backward, again=self.again + other.again,
        )  # fmt: skip

    def at(self, path: str) -> Line:
        return replace(self, path=f"{path}.{self.path}" if self.path else path)

    def each(self, change: Callable[[Size], Size]) -> Line:
        costs = (cost.each(change) for cost in (self.forward, self.backward, self.again))
        return Line(self.path, self.kind, self.runs, *costs)

    def times(self, count: Size) -> Line:
        """All of `count` such; a count that is a symbol leaves `runs` as it is."""
        if count == 1:
            return self
        runs = self.runs * count if isinstance(count, int) else self.runs
        return replace(self.each(lambda size: poly.mul(size, count)), runs=runs)


class Trace(Struct, frozen=True):
    """What a stretch of a graph costs, and what it asks of its inputs.

    `live` and `wanted`: the inputs that gradients flow to, and those that are read. `keeps`: whether it keeps
    something for the gradients; `rest` is what runs after the last of it.
    """

    lines: tuple[Line, ...]
    live: Flags
    wanted: Flags
    keeps: bool = False
    rest: Rest = ()
    notes: tuple[str, ...] = ()

    def at(self, path: str) -> Trace:
        return replace(
            self,
            lines=tuple(line.at(path) for line in self.lines),
            rest=tuple((f"{path}.{p}" if p else path, kind, cost) for p, kind, cost in self.rest),
        )

    def recomputed(self) -> Trace:
        """Run a second time, until all is there again that is kept."""
        rest = {(path, kind): cost for path, kind, cost in self.rest}
        lines = (replace(x, again=less(x.forward, rest.get((x.path, x.kind)))) for x in self.lines)
        return replace(self, lines=tuple(lines))


def less(cost: Cost, rest: Cost | None) -> Cost:
    """The products of `cost` without those of `rest`."""
    return cost.products if rest is None else cost.products + rest.products.each(poly.neg)


def merged(lines: Iterable[Line]) -> tuple[Line, ...]:
    """One line for each place and kind, in the order of their first."""
    out: dict[tuple[str, str], Line] = {}
    for line in lines:
        key = (line.path, line.kind)
        out[key] = out[key] + line if key in out else line
    return tuple(out.values())


def in_order(parts: Iterable[Trace], live: Flags, wanted: Flags) -> Trace:
    """Stretches one after another."""
    lines, notes, rest, keeps = list[Line](), dict[str, None](), list[tuple[str, str, Cost]](), False
    for part in parts:
        lines += part.lines
        notes |= dict.fromkeys(part.notes)
        if part.keeps:
            rest, keeps = list(part.rest), True
        else:
            rest += [(line.path, line.kind, line.forward) for line in part.lines]
    return Trace(merged(lines), live, wanted, keeps, _summed(rest), tuple(notes))


def _summed(rest: list[tuple[str, str, Cost]]) -> Rest:
    out: dict[tuple[str, str], Cost] = {}
    for path, kind, cost in rest:
        out[path, kind] = out.get((path, kind), NOTHING) + cost
    return tuple((path, kind, cost) for (path, kind), cost in out.items())
