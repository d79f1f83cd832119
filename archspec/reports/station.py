"""A model as something that requests come to: what it holds on a device, and how it carries a load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from archspec.analysis.device import Device
from archspec.analysis.queueing import Steady, fixed_batch, room_for, running_batch
from archspec.analysis.roofline import Efficiency, time_range
from archspec.analysis.serving_cost import Served, prefill, step
from archspec.analysis.sharding import Shardable, Sharded
from archspec.analysis.sizes import Sizes, number
from archspec.analysis.speed import LATENCY, LINKS
from archspec.ir.graph import Graph
from archspec.reports.account import Account
from archspec.reports.on_device import loads
from archspec.reports.phases import Phase
from archspec.reports.question import Question
from archspec.reports.serving import served
from archspec.reports.shapes import shapes

if TYPE_CHECKING:
    from archspec.backends.torch.fake.trace import Trace

BATCHES = (1, 2, 4, 8)


class Demand(Struct, frozen=True):
    """What is asked of a model: requests a second, their tokens in and out, the other sizes.

    `steps` of sampling; `max_latency`: mean seconds of a request that are allowed.
    """

    rate: float
    inputs: int = 512
    outputs: int = 128
    steps: int = 50
    max_latency: float | None = None
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])


class Carried(Struct, frozen=True):
    """A steady load, at one end of the efficiencies, and bytes beside the weights on each device."""

    steady: Steady
    bytes: float


class Station(Protocol):
    """A model on `tp` devices at a time."""

    tp: int
    weights: int
    streams: bool

    def carried(self, rate: float, units: int, share: float, end: Efficiency) -> Iterator[Carried]:
        """How `units` times tp devices can carry so many requests a second, in a share of their time."""
        ...


class Streaming:
    """A model that answers token by token, with continuous batching."""

    streams = True

    def __init__(self, model: Shardable, demand: Demand, device: Device, tp: int, dtype: str) -> None:
        self.tp, self.demand, self.device = tp, demand, device
        self.sharded: Sharded = model.shard(tp)
        graph = self.sharded.graph if tp > 1 else model.trace.graph
        self.graph: Graph = graph
        self.model: Served = served(Account(graph, Question(sizes=demand.sizes, dtype=dtype)))
        self.weights = self.model.weight_bytes
        self._seconds = cache(self._step)

    def carried(self, rate: float, units: int, share: float, end: Efficiency) -> Iterator[Carried]:
        demand = self.demand
        filling = self._prefill(end) / share
        found = running_batch(rate / units, filling, lambda n: self._seconds(n, end) / share, demand.outputs)
        if found is not None:
            many = room_for(found.together)
            state = many * self.model.state_bytes(demand.inputs + demand.outputs)
            yield Carried(found, state + self.model.activation_bytes(1, demand.inputs))

    def _prefill(self, end: Efficiency) -> float:
        load = prefill(self.model, 1, self.demand.inputs)
        return time_range([load], self.device, end).best + self._sent(1, self.demand.inputs)

    def _step(self, batch: int, end: Efficiency) -> float:
        """At the mean context of a sequence."""
        context = self.demand.inputs + self.demand.outputs // 2
        return time_range([step(self.model, batch, context)], self.device, end).best + self._sent(batch, 1)

    def _sent(self, batch: int, tokens: int) -> float:
        """Seconds of what tp sends forward."""
        if self.tp == 1:
            return 0.0
        given = {**self.demand.sizes, self.graph.dims[0]: batch, self.graph.stream or "": tokens, "past": 0}
        sizes = Sizes(given)
        sent = (c for c in self.sharded.collectives if c.when == "forward")
        inside = (c for c in sent if not c.path.startswith("loss "))
        bandwidth = self.device.link_bandwidth() * LINKS
        return sum(
            number(sizes.size(c.wire(self.tp)), "what is sent") / bandwidth + c.times * LATENCY
            for c in inside
        )


class Batching:
    """A model that answers at once, or samples in steps: fixed batches through its phases."""

    streams = False
    tp = 1

    def __init__(self, phases: tuple[Phase, ...], demand: Demand, device: Device, dtype: str) -> None:
        self.demand, self.device, self.phases = demand, device, phases
        self.question = Question(dtype=dtype)
        self.accounts = tuple(Account(phase.graph, self.question) for phase in phases)
        self.weights = sum(account.parameters.bytes(dtype) for account in self.accounts)
        self._traced = cache(self._run)
        self._seconds = cache(self._service)

    def carried(self, rate: float, units: int, share: float, end: Efficiency) -> Iterator[Carried]:
        """The quickest batch first."""
        found = list[Carried]()
        for batch in BATCHES:
            steady = fixed_batch(rate, batch, self._seconds(batch, end) / share, units)
            if steady is not None:
                found.append(Carried(steady, self._peaks[batch]))
        yield from sorted(found, key=lambda one: one.steady.latency)

    @cached_property
    def _peaks(self) -> dict[int, float]:
        return {batch: max(run.peak for run in self._traced(batch)) for batch in BATCHES}

    def _service(self, batch: int, end: Efficiency) -> float:
        runs = zip(self._traced(batch), self.phases, strict=True)
        return sum(time_range(loads(run), self.device, end).best * phase.times for run, phase in runs)

    def _run(self, batch: int) -> tuple[Trace, ...]:
        """Every phase once, on shapes."""
        return tuple(
            account.subject.trace(
                shapes(phase.graph, Sizes.of(phase.graph, phase.at(batch)), self.question.dtype),
                self.question.inference,
            )
            for account, phase in zip(self.accounts, self.phases, strict=True)
        )
