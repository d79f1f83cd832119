"""A model split over devices by tensor and expert parallelism."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from archspec.analysis.sharding.collective import Collective
from archspec.analysis.sharding.cut import Cut, cut, nearest
from archspec.analysis.sharding.errors import LayoutError
from archspec.analysis.sharding.experts import dispatched
from archspec.analysis.sharding.families import Families, Whole, families
from archspec.analysis.sharding.flow import Flow
from archspec.analysis.sharding.rewrite import rewrite
from archspec.analysis.sharding.tokens import Tokens
from archspec.analysis.sharding.trace import Trace
from archspec.errors import Collector
from archspec.ir.graph import Graph


@dataclass(frozen=True)
class Sharded:
    """One device's part of a model. `tp` devices share each weight that is cut, `ep` the experts."""

    trace: Trace
    found: Families
    cut: Cut
    tp: int
    ep: int

    @cached_property
    def graph(self) -> Graph:
        """What one device runs. It passes `verify` and can be emitted; the collectives are not in it."""
        return rewrite(self.trace, self.cut, self.ep)

    @cached_property
    def collectives(self) -> tuple[Collective, ...]:
        """What tp and ep send, for one microbatch (`step`: for one step)."""
        sent = tuple(Flow(self.trace, self.cut).collectives) if self.tp > 1 else ()
        return (*sent, *(dispatched(self.trace) if self.ep > 1 else ()))

    @cached_property
    def tokens(self) -> Tokens:
        """Which axes count tokens."""
        return Tokens.of(self.trace)

    @property
    def whole(self) -> tuple[Whole, ...]:
        """Dimensions of weights that every device holds whole, with the reason."""
        left = (f for f in self.found.cut if self.tp > 1 and f.root not in self.cut.parts)
        reason = f"tp {self.tp} does not divide it"
        return (*self.found.whole, *(Whole(family.weight, family.size, reason) for family in left))


class Shardable:
    """A graph that was read once, to be split in many ways."""

    def __init__(self, graph: Graph) -> None:
        self.trace = Trace(graph)
        self.found = families(self.trace)
        self.known: dict[tuple[int, int], Sharded] = {}

    def shard(self, tp: int = 1, ep: int = 1) -> Sharded:
        """Raises LayoutError: G001, G002, G003 for tp, G004, G005 for ep, G006 for a number below 1."""
        if (tp, ep) not in self.known:
            self._check_ep(tp, ep)
            divided = cut(self.trace.dims, self.found, tp)
            self.known[tp, ep] = Sharded(self.trace, self.found, divided, tp, ep)
        return self.known[tp, ep]

    def _check_ep(self, tp: int, ep: int) -> None:
        collector = Collector()
        for name, value in (("tp", tp), ("ep", ep)):
            if value < 1:
                collector.add("G006", f"{name} is {value}, not 1 or more")
        collector.raise_if_any(LayoutError)
        counts = {int(node.count) for _, node in self.trace.experts}
        if ep > 1 and not counts:
            collector.add("G005", f"ep {ep}: '{self.trace.graph.name}' has no experts to spread", hint="ep 1")
        if ep > 1 and any(len(node.variants) > 1 for _, node in self.trace.experts):
            collector.add("G004", f"ep {ep}: experts of several kinds cannot be spread evenly", hint="ep 1")
        for count in sorted(counts):
            if count % ep:
                problem = f"ep {ep} does not divide {count} experts"
                collector.add("G004", problem, hint=nearest(count, ep, "ep"))
        collector.raise_if_any(LayoutError)


def shard(graph: Graph, tp: int = 1, ep: int = 1) -> Sharded:
    """One device's part of `graph`. Raises LayoutError as `Shardable.shard` does."""
    return Shardable(graph).shard(tp, ep)
