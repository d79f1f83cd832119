"""Walks a graph once, each distinct region by itself, and prices what runs forward, backward and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from archspec.analysis.cost import NOTHING, priced
from archspec.analysis.gradients import Flags, Gradients, keeps, taken
from archspec.analysis.lines import Line, Trace, in_order, less, merged
from archspec.analysis.recurring import recurring
from archspec.analysis.routing import routing
from archspec.analysis.sizes import Sizes
from archspec.dims import poly
from archspec.dims.poly import Size
from archspec.ir.along import Along
from archspec.ir.graph import Apply, Call, Node, Region, Repeat
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.state import Hold, Keep

Checkpoint: TypeAlias = Literal["none", "selective", "full"] | int


class Training(Struct, frozen=True):
    """How a step of training runs.

    `outputs`: what the loss reads; by default what the losses of the spec read, or all. `checkpoint`: which
    layers of the outermost repeats keep their input only and run again: none, all (`full`), one in k;
    `selective` runs only the scores of attention again (Korthikanti et al. 2022, arXiv:2205.05198). What runs
    again stops when all that is kept is there, as torch's non-reentrant checkpoint does. `dropout`: whether
    dropout is on, which keeps masks.
    """

    outputs: tuple[str, ...] | None = None
    checkpoint: Checkpoint = "none"
    dropout: bool = False

    def again(self, layer: int) -> bool:
        """Whether a layer runs again."""
        if isinstance(self.checkpoint, int):
            return layer % self.checkpoint == 0
        return self.checkpoint == "full"


class Tracer:
    """Prices regions at given sizes; `training` None leaves the backward pass out."""

    def __init__(self, sizes: Sizes, training: Training | None) -> None:
        self.sizes, self.training, self.gradients = sizes, training or Training(), Gradients()
        self._known: dict[tuple[int, Flags, Flags, Flags, bool], Trace] = {}

    def region(self, region: Region, given: Flags, live: Flags, wanted: Flags, inside: bool = False) -> Trace:
        """`given`: the inputs that need gradients. `live` and `wanted`: the outputs that gradients come from,
        and those that are read. `inside`: whether a layer that may run again is around it.
        """
        key = (id(region), given, live, wanted, inside)
        if key not in self._known:
            self._known[key] = self._computed(region, given, live, wanted, inside)
        return self._known[key]

    def _computed(self, region: Region, given: Flags, live: Flags, wanted: Flags, inside: bool) -> Trace:
        needs = self.gradients.of(region, given)
        lives = {v.name for v, flag in zip(region.outputs, live, strict=True) if flag and needs[v.name]}
        reads = {v.name for v, flag in zip(region.outputs, wanted, strict=True) if flag}
        parts: list[Trace] = []
        for node in reversed(region.nodes):
            asked = tuple(v.name in reads for v in node.outputs)
            if self.sizes.cached and not any(asked) and not _leaves_state(node):
                continue
            part = self._node(
                node, region, taken(node, needs), tuple(v.name in lives for v in node.outputs), inside
            )
            parts.append(part)
            lives |= {v.name for v, flag in zip(node.inputs, part.live, strict=True) if v and flag}
            reads |= {v.name for v, flag in zip(node.inputs, part.wanted, strict=True) if v and flag}
        names = [v.name for v in region.inputs]
        return in_order(reversed(parts), tuple(n in lives for n in names), tuple(n in reads for n in names))

    def _node(self, node: Node, region: Region, given: Flags, live: Flags, inside: bool) -> Trace:
        if isinstance(node, Apply):
            return self._apply(node, given, live)
        wanted = (True,) * len(node.outputs)
        if isinstance(node, Call):
            if node.along is not None:
                return self._along(node, node.along, given, live, inside)
            return self.region(node.region, given, live, wanted, inside).at(node.region.name)
        if node.rows is not None:
            return self._experts(node, region, given, live)
        return self._repeat(node, given, live, inside)

    def _along(self, node: Call, along: Along, given: Flags, live: Flags, inside: bool) -> Trace:
        wanted = (True,) * len(node.outputs)
        return recurring(
            node.region.name, along, self.sizes.size(node.runs), self.gradients.positions(node, given), live,
            lambda flags, lives: self.region(node.region, flags, lives, wanted, inside),
        )  # fmt: skip

    def _apply(self, node: Apply, given: Flags, live: Flags) -> Trace:
        flows = any(live)
        flags = given if flows else (False,) * len(given)
        price = priced(node, self.sizes, flags)
        again = less(price.forward, price.rest) if self._scores_again(node) and flows else NOTHING
        lines = (Line("", price.kind, 1, price.forward, price.backward, again),)
        wanted = (not (self.sizes.cached and isinstance(node.op, Hold)),) * len(given)
        kept = any(given) and keeps(node.op, self.training.dropout)
        rest = (("", price.kind, price.rest),) if price.rest != NOTHING else ()
        return Trace(lines if price.forward != NOTHING else (), flags, wanted, kept, rest, price.notes)

    def _scores_again(self, node: Apply) -> bool:
        return self.training.checkpoint == "selective" and isinstance(node.op, Attention)

    def _repeat(self, node: Repeat, given: Flags, live: Flags, inside: bool) -> Trace:
        """Layers from the last to the first; those that are alike are priced once."""
        layers = self.gradients.layers(node, given)
        traces: list[Trace] = []
        counts = Counter[tuple[int, int, bool]]()
        wanted, lives = (True,) * node.own, [False] * len(given)
        for i in reversed(range(len(node.schedule))):
            variant = node.schedule[i]
            again = not inside and any(live) and self.training.again(i)
            one = self.region(node.variants[variant], layers[i], live, wanted, inside=True)
            counts[variant, _placed(one, traces), again] += 1
            live = one.live[: node.own]
            lives = [a or b for a, b in zip(lives, one.live, strict=True)]
        if not node.schedule:
            return Trace((), live + given[node.own :], (True,) * len(given))
        lines = [
            line.at(_label(node, variant)).times(count)
            for (variant, at, again), count in counts.items()
            for line in (traces[at].recomputed() if again else traces[at]).lines
        ]
        last = traces[0].at(_label(node, node.schedule[-1]))
        notes = tuple(dict.fromkeys(note for one in traces for note in one.notes))
        reads = (True,) * len(given)
        return Trace(merged(lines), (*live, *lives[node.own :]), reads, last.keeps, last.rest, notes)

    def _experts(self, node: Repeat, region: Region, given: Flags, live: Flags) -> Trace:
        """Each expert at the rows that are routed to it, which add up to those of all choices."""
        found = routing(node, region, self.sizes)
        rows = poly.mul(found.rows, found.chosen.size)
        traces = [self.region(v, given, live, (True,), inside=True) for v in node.variants]
        lines: list[Line] = []
        for variant, one in enumerate(traces):
            count = node.schedule.count(variant)
            share = _share(rows, count, len(node.schedule))
            lines += [_routed(x, node.rows or "", share, count).at(_label(node, variant)) for x in one.lines]
        notes = [found.note, *_uneven(traces), *(note for one in traces for note in one.notes)]
        flags = tuple(any(column) for column in zip(*(one.live for one in traces), strict=True))
        told = tuple(dict.fromkeys(note for note in notes if note))
        last = traces[node.schedule[-1]]
        return Trace(merged(lines), flags, (True,) * len(given), last.keeps, (), told)


def _routed(line: Line, name: str, rows: Size, count: int) -> Line:
    """The line of `count` experts with so many rows together, for one that is written for `name` rows."""

    def change(size: Size) -> Size:
        fixed = poly.evaluate(size, {name: 0})
        return poly.add(poly.evaluate(size, {name: rows}), poly.mul(fixed, count - 1))

    kind = line.kind if line.kind == "elementwise" else "experts"
    return replace(line.each(change), runs=line.runs * count, kind=kind)


def _share(rows: Size, count: int, all_: int) -> Size:
    return rows if count == all_ else poly.divmod_(poly.mul(rows, count), all_)[0]


def _uneven(traces: list[Trace]) -> tuple[str, ...]:
    alike = all([x.forward for x in one.lines] == [x.forward for x in traces[0].lines] for one in traces)
    return () if alike else ("experts differ in cost: rows are taken to spread evenly among them",)


def _placed(one: Trace, traces: list[Trace]) -> int:
    for at, other in enumerate(traces):
        if other is one:
            return at
    traces.append(one)
    return len(traces) - 1


def _leaves_state(node: Node) -> bool:
    """Whether a node is run for what it keeps for the next step."""
    if isinstance(node, Apply):
        return isinstance(node.op, Keep)
    return any(_leaves_state(inner) for region in node.regions for inner in region.nodes)


def _label(node: Repeat, variant: int) -> str:
    """`h.*`, or with several variants the layers that run this one: `h.0,2-5`."""
    if len(node.variants) == 1:
        return f"{node.name}.*"
    return f"{node.name}.{_ranges(i for i, each in enumerate(node.schedule) if each == variant)}"


def _ranges(numbers: Iterable[int]) -> str:
    groups = (list(group) for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]))
    spans = ((group[0][1], group[-1][1]) for group in groups)
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in spans)
