"""Places several models on shared devices, so that each carries its load.

Models stand in groups; a group has units of `tp` devices that all hold the same models. On a device with
several models each has a fixed share of the time, as it needs. The plan is the one with fewest devices that
carries all loads at the worse end of the efficiencies; of several the one whose requests take least.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property

from msgspec import Struct
from msgspec.structs import replace

from archspec.analysis.ranges import Band, at_least, positive
from archspec.analysis.roofline import Efficiency
from archspec.analysis.sharding import LayoutError, Shardable
from archspec.errors import ArchspecError, Diagnostic
from archspec.ir.graph import Graph
from archspec.lowering.running import Running
from archspec.reports.phases import phases
from archspec.reports.plan import Cluster
from archspec.reports.station import Batching, Carried, Demand, Station, Streaming
from archspec.units import size, time

FURTHER = 16  # times the devices that are looked at, to say how many would do
_STEPS = 12  # of halving, when shares are searched


class Serving(Struct, frozen=True):
    """One model in a group: its share of the time, and the load at the worse and the better end."""

    name: str
    share: float
    worst: Carried
    best: Carried


class Group(Struct, frozen=True):
    """`units` times `tp` devices with the same models. `next`: what keeps a unit less from doing."""

    units: int
    tp: int
    models: tuple[Serving, ...]
    binding: str = ""

    @property
    def devices(self) -> int:
        return self.units * self.tp


class Misfit(Struct, frozen=True):
    """Why a group cannot carry its loads: memory, compute, latency; and in words."""

    binding: str
    words: str


class ServingPlan:
    """Raises ArchspecError: G018 where the devices do not carry the load, G006 and D004 for numbers, A001 and
    A002 for sizes, D003 where the device lacks a figure.
    """

    def __init__(
        self,
        models: Mapping[str, tuple[Graph, Running]],
        cluster: Cluster,
        demands: Mapping[str, Demand],
        dtype: str = "bfloat16",
        reached: Efficiency | None = None,
    ) -> None:
        self.models, self.cluster, self.dtype = models, cluster, dtype
        self.demands = {name: _sized(models[name][0], demand) for name, demand in demands.items()}
        self.reached = reached or Efficiency()
        self.room = cluster.device.capacity() - cluster.reserve
        at_least("the reserve", 0, cluster.reserve)
        positive("devices", cluster.gpus)
        for demand in demands.values():
            _check(demand)
        self._station, self._group = cache(self._stationed), cache(self._grouped)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of the plan."""
        best = self._best(self.cluster.gpus)
        if best is None:
            raise self._impossible()
        return best

    @property
    def devices(self) -> int:
        return sum(group.devices for group in self.groups)

    def station(self, name: str, tp: int) -> Station:
        """A model of the plan on its devices."""
        found = self._station(name, tp)
        assert found is not None, "a group has models that its tp allows"
        return found

    def _best(self, most: int) -> tuple[Group, ...] | None:
        found = [plan for parts in _partitions(tuple(self.models)) if (plan := self._parts(parts, most))]
        return min(found, key=_goodness, default=None)

    def _parts(self, parts: Sequence[tuple[str, ...]], most: int) -> tuple[Group, ...] | None:
        plan = list[Group]()
        for names in parts:
            best = self._sized(names, most)
            if best is None:
                return None
            plan.append(best)
        return tuple(plan) if sum(group.devices for group in plan) <= most else None

    def _sized(self, names: tuple[str, ...], most: int) -> Group | None:
        """A group at the tp with which it takes fewest devices, which are no fewer than tp."""
        best: Group | None = None
        for tp in self.tensor_sizes(names):
            if best is not None and tp > best.devices:
                break
            found = self._group(names, tp, most)
            if isinstance(found, Group) and (best is None or _rank(found) < _rank(best)):
                best = found
        return best

    def tensor_sizes(self, names: tuple[str, ...]) -> Iterator[int]:
        """1 and, where all models of a group stream, the powers of two of a node that each allows."""
        node = min(self.cluster.per_node or self.cluster.device.node_size(), self.cluster.gpus)
        for tp in (1 << i for i in range(node.bit_length())):
            if tp <= node and all(self._station(name, tp) is not None for name in names):
                yield tp

    def _stationed(self, name: str, tp: int) -> Station | None:
        (graph, running), demand, device = self.models[name], self.demands[name], self.cluster.device
        if graph.stream is None or running.sampler is not None:
            if tp > 1:
                return None
            found = phases(graph, running, demand.sizes, inputs=demand.inputs, steps=demand.steps)
            return Batching(found, demand, device, self.dtype)
        try:
            return Streaming(self._shardable(name), demand, device, tp, self.dtype)
        except LayoutError:
            return None

    def _shardable(self, name: str) -> Shardable:
        return Shardable(self.models[name][0])

    def _grouped(self, names: tuple[str, ...], tp: int, most: int) -> Group | Misfit:
        """The fewest units that carry the loads."""
        misfit = Misfit("memory", "there is no device")
        for units in range(1, most // tp + 1):
            found = self.placed(names, tp, units)
            if isinstance(found, Group):
                return Group(
                    units, tp, found.models, misfit.binding if units > 1 else "one unit is the least"
                )
            misfit = found
            if misfit.binding == "weights":
                break
        return misfit

    def placed(self, names: tuple[str, ...], tp: int, units: int) -> Group | Misfit:
        """The models on so many units, or why not."""
        stations = {name: self._station(name, tp) for name in names}
        known = {name: station for name, station in stations.items() if station is not None}
        weights = sum(station.weights for station in known.values())
        if weights > self.room:
            return Misfit("weights", f"weights take {size(weights)} of {size(self.room)} with tp {tp}")
        room = (self.room - weights) / len(known)
        least = dict[str, float]()
        for name, station in known.items():
            need = self._share(name, station, units, room)
            if isinstance(need, Misfit):
                return need
            least[name] = need
        if sum(least.values()) > 1:
            busy = " and ".join(f"{name} {share:.0%}" for name, share in least.items())
            return Misfit("compute", f"the time of {units} x {tp} devices is not enough: {busy}")
        return Group(units, tp, tuple(self._served(known, least, units, room)))

    def _served(
        self, stations: Mapping[str, Station], least: Mapping[str, float], units: int, room: float
    ) -> Iterator[Serving]:
        """What is left of the time goes to all, in proportion to what they need."""
        for name, station in stations.items():
            share = least[name] / sum(least.values())
            worst, best = (self._carried(name, station, units, share, end, room) for end in self.ends)
            assert isinstance(worst, Carried), "a larger share carries what a smaller one does"
            assert isinstance(best, Carried), "a faster device carries what a slower one does"
            yield Serving(name, share, worst, best)

    def _share(self, name: str, station: Station, units: int, room: float) -> float | Misfit:
        """The smallest share of the time in which a model carries its load, within a 4,096th."""
        whole = self._carried(name, station, units, 1.0, self.ends[0], room)
        if isinstance(whole, Misfit):
            return whole
        low, high = 0.0, 1.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            found = self._carried(name, station, units, middle, self.ends[0], room)
            low, high = (low, middle) if isinstance(found, Carried) else (middle, high)
        return high

    @cached_property
    def ends(self) -> tuple[Efficiency, Efficiency]:
        """The worse and the better end, each as a band without width."""
        mfu, mbu = self.reached.mfu, self.reached.mbu
        worse = Efficiency(_at(mfu, mfu.low), _at(mbu, mbu.low))
        return worse, Efficiency(_at(mfu, mfu.high), _at(mbu, mbu.high))

    def _carried(
        self, name: str, station: Station, units: int, share: float, end: Efficiency, room: float
    ) -> Carried | Misfit:
        demand, found = self.demands[name], Misfit("compute", "")
        for one in station.carried(demand.rate, units, share, end):
            late = demand.max_latency is not None and one.steady.latency > demand.max_latency
            if one.bytes <= room and not late:
                return one
            if one.bytes > room:
                words = f"{name} needs {size(one.bytes)} beside weights, of {size(room)}"
                found = Misfit("memory", words)
            else:
                found = Misfit("latency", f"a request to {name} takes {time(one.steady.latency)}")
        devices = units * station.tp
        asked = f"{demand.rate:g} requests a second to {name} are more than {devices} devices compute"
        return found if found.words else Misfit("compute", asked)

    def _impossible(self) -> ArchspecError:
        """G018, with what would do."""
        gpus, title = self.cluster.gpus, self.cluster.device.title
        why = "; ".join(dict.fromkeys(self._why()))
        more = next((n for n in _further(gpus) if self._best(n)), None)
        searched = gpus * FURTHER
        hint = f"none up to {searched:,} devices do: many more, larger ones, shorter requests, a laxer target"
        if more is not None:
            least = sum(group.devices for group in self._best(more) or ())
            hint = f"{least} devices would do"
        message = f"{gpus} x {title} do not carry the load: {why}"
        return ArchspecError(Diagnostic("G018", message, None, hint))

    def _why(self) -> Iterator[str]:
        """Of each model alone on all devices; or that together they are too many."""
        alone = True
        for name in self.models:
            found = [self._group((name,), tp, self.cluster.gpus) for tp in self.tensor_sizes((name,))]
            misfits = [one for one in found if isinstance(one, Misfit)]
            if len(misfits) == len(found):
                alone = False
                others = [one for one in misfits if one.binding != "weights"]
                yield (others or misfits)[-1].words
        if alone:
            yield "each model fits alone, but not all together"


def _further(gpus: int) -> Iterator[int]:
    number = gpus
    while number < gpus * FURTHER:
        number *= 2
        yield number


def _check(demand: Demand) -> None:
    for name, value in (
        ("requests a second", demand.rate),
        ("input tokens", demand.inputs),
        ("output tokens", demand.outputs),
        ("steps", demand.steps),
        ("the allowed latency", 1.0 if demand.max_latency is None else demand.max_latency),
    ):
        positive(name, value)


def _sized(graph: Graph, demand: Demand) -> Demand:
    """The demand with those sizes that the model has, beside its batch and its tokens."""
    own = set(graph.dims[1:]) - {graph.stream}
    return replace(demand, sizes={name: size for name, size in demand.sizes.items() if name in own})


def _goodness(plan: tuple[Group, ...]) -> tuple[int, float]:
    return sum(group.devices for group in plan), sum(map(_slowness, plan))


def _rank(group: Group) -> tuple[int, float]:
    return group.devices, _slowness(group)


def _slowness(group: Group) -> float:
    return sum(one.worst.steady.latency for one in group.models)


def _partitions(names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Every way to put names in groups."""
    if not names:
        yield ()
        return
    first, rest = names[0], names[1:]
    for parts in _partitions(rest):
        yield ((first,), *parts)
        for i, part in enumerate(parts):
            yield (*parts[:i], (first, *part), *parts[i + 1 :])


def _at(band: Band, value: float) -> Band:
    return Band(value, value, band.source)
