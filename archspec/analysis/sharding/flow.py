"""Where tensor parallelism communicates: sums that are partial forward, gradients that are partial backward.

A sum over a cut axis leaves each device a part of it; it is added up (g of Shoeybi et al. 2019, figure 3)
before the first operation that does not commute with addition, so that parallel branches share one
all_reduce. A whole value that enters an operation on cut ones gets a part of its gradient on each device (f
of the same figure).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeGuard

from archspec.analysis.sharding.collective import Collective
from archspec.analysis.sharding.cut import Cut
from archspec.analysis.sharding.tensor import Crossing, Site, Tensor
from archspec.analysis.sharding.trace import Trace
from archspec.dims import num as n
from archspec.ir.ops.elementwise import Arith, Dropout, Map, Scalar
from archspec.ir.ops.loss import CrossEntropy
from archspec.ir.ops.shape import Permute, Reshape, Slice


@dataclass(slots=True)
class Flow:
    """One pass over the operations. `collectives` are in the order in which the forward pass meets them."""

    trace: Trace
    cut: Cut
    collectives: list[Collective] = field(default_factory=list[Collective])
    partial: set[Tensor] = field(default_factory=set[Tensor])
    entered: set[Tensor] = field(default_factory=set[Tensor])
    made: dict[Tensor, tuple[str, int]] = field(default_factory=dict[Tensor, tuple[str, int]])
    origin: dict[Tensor, Tensor] = field(default_factory=dict[Tensor, Tensor])
    around: dict[Tensor, Tensor] = field(default_factory=dict[Tensor, Tensor])

    def __post_init__(self) -> None:
        for step in self.trace.steps:
            if isinstance(step, Crossing) and step.summed:
                self.around |= dict(step.entering)
        for step in self.trace.steps:
            self._site(step) if isinstance(step, Site) else self._crossing(step)
        for name, value in self.trace.graph.outputs:
            self._output(name, self.trace.root.values[value.name])

    def _site(self, site: Site) -> None:
        self.made |= dict.fromkeys(site.outputs, (site.path, site.times))
        for x in site.inputs:
            if x is not None:
                self.made.setdefault(x, (site.path, site.times))
        if any(map(self.cut.is_cut, site.contracted)):
            self._reduce_all(site)
            self.partial |= set(site.outputs)
        elif passes(site, self.partial):
            self.partial |= set(site.outputs)
            if len(site.inputs) == 1:
                (x,) = site.inputs
                self.origin |= {} if x is None else {site.outputs[0]: self._first(x)}
        else:
            self._reduce_all(site)
        if isinstance(site.op, CrossEntropy) and site.inputs[0] and self.cut.holds_part(site.inputs[0]):
            self._scores(site)
        for x in self._split_gradients(site):
            self._enter(x)
        for x in filter(self._held_twice, site.inputs):
            self._enter(x)

    def _reduce_all(self, site: Site) -> None:
        for x in site.inputs:
            if x in self.partial:
                self._reduce(x)

    def _reduce(self, x: Tensor) -> None:
        """The sum is taken where it was made: views and multiples of it need no sum of their own."""
        x = self._first(x)
        self.partial = {y for y in self.partial if self._first(y) is not x}
        self._add("all_reduce", "forward", x, *self.made[x])

    def _first(self, x: Tensor) -> Tensor:
        return self.origin.get(x, x)

    def _split_gradients(self, site: Site) -> Iterator[Tensor]:
        """Whole operands whose gradient is a sum over devices."""
        cut = any(map(self.cut.holds_part, site.outputs))
        factor = (
            isinstance(site.op, Arith) and site.op.fn in ("mul", "div") and site.outputs[0] in self.partial
        )
        if cut or factor:
            for x in site.inputs:
                if x is not None and x.learned and x not in self.partial and not self.cut.holds_part(x):
                    yield x

    def _held_twice(self, x: Tensor | None) -> TypeGuard[Tensor]:
        """A weight of key heads that several devices share: each has the gradient of its own queries."""
        if x is None or not (x.owner and x.learned):
            return False
        parts = {self.cut.parts.get(leaf, 1) for axis in x.axes for leaf in self.trace.dims.leaves(axis)}
        return any(1 < part < max(self.cut.parts.values()) for part in parts)

    def _enter(self, x: Tensor) -> None:
        x = self.around.get(x, x)
        if x not in self.entered:
            self.entered.add(x)
            path, times = self._made(x)
            self._add("all_reduce", "step" if x.constant else "backward", x, path, times)

    def _made(self, x: Tensor) -> tuple[str, int]:
        """The region that a value belongs to, and how often it runs."""
        if x.owner:
            return x.owner.rpartition(".")[0], self.trace.params[x.owner].times
        return self.made.get(x, ("", 1))

    def _scores(self, site: Site) -> None:
        """Softmax over a cut vocabulary: the maximum, the target's score and the sum of each token."""
        target = site.inputs[1]
        assert target is not None
        elements = n.product(target.type.shape)
        for what in ("maximum", "score", "sum"):
            found = Collective("all_reduce", "tp", "forward", site.path, what, elements, "float32")
            self.collectives.append(found)

    def _crossing(self, step: Crossing) -> None:
        self.made |= dict.fromkeys(step.outer, (step.around, step.around_times))
        for _, x in step.entering:
            if x in self.partial:
                self._reduce(x)
        for inner, outer in zip(step.inner, step.outer, strict=True):
            if inner in self.partial and step.summed:
                self.partial.add(outer)
            elif inner in self.partial:
                self._reduce(inner)

    def _output(self, name: str, x: Tensor) -> None:
        if x in self.partial:
            self._reduce(x)
        if self.cut.holds_part(x):
            self._add("all_gather", "output", x, "", 1)

    def _add(self, kind: str, when: str, x: Tensor, path: str, times: int) -> None:
        shape = self.cut.type(x).shape if when == "step" else x.type.shape
        elements = n.num(n.product(shape).value)
        self.collectives.append(Collective(kind, "tp", when, path, x.name, elements, x.type.dtype, times))


def passes(site: Site, partial: set[Tensor]) -> bool:
    """Whether an operation on parts of sums gives parts of the sum of its results."""
    parts = [x in partial for x in site.inputs if x is not None]
    if not any(parts):
        return False
    op = site.op
    if isinstance(op, Arith):
        both = all(parts) and op.fn in ("add", "sub")
        return both or (op.fn == "mul" and sum(parts) == 1) or (op.fn == "div" and parts == [True, False])
    if isinstance(op, Scalar):
        return op.fn == "mul" or (op.fn == "div" and not op.flip)
    moved = isinstance(op, Reshape | Permute | Slice) or (isinstance(op, Map) and op.fn == "neg")
    return moved or (isinstance(op, Dropout) and op.p.value == 0)
