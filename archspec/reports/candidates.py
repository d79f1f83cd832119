"""Models side by side: what each costs at the same sizes, and which constraints it meets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from archspec.analysis.positions import check_positions
from archspec.analysis.ranges import Range
from archspec.analysis.sizes import Sizes
from archspec.errors import ArchspecError, Diagnostic, did_you_mean
from archspec.ir.graph import Graph
from archspec.reports.account import Account
from archspec.reports.budget import worst
from archspec.reports.measures import MEASURES, Figure, Subject
from archspec.reports.on_device import Place
from archspec.reports.question import Question
from archspec.reports.table import shown

ON_A_DEVICE = ("latency", "throughput", "cost")
# What a model costs, so that less of it is better; the longest input is added to these.
COSTS = ("exact_flops", "memory", "training_memory", "latency", "throughput", "cost")
_SEARCHED = 1 << 20


class Candidate(Struct, frozen=True):
    """A model at some sizes. `figures`: by measure, none where it cannot take them.

    `longest`: the longest input, None where no table of positions ends it. `excluded`: the constraints that
    it breaks; `doubtful`: those that it breaks at the worse end of an estimate only.
    """

    name: str
    figures: Mapping[str, Figure]
    longest: int | None
    excluded: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()

    def at_worst(self, measure: str) -> float:
        """Infinite where it is not known, so that what is known comes first."""
        value = self.figures.get(measure)
        return float("inf") if value is None else worst(value)


def candidates(
    graphs: Mapping[str, Graph], question: Question, limits: Mapping[str, float], place: Place | None
) -> list[Candidate]:
    """Every model at the question's sizes, of which each takes those that it has.

    Raises ArchspecError A001 and A002 for sizes, D003 for a figure of the device, E004 for a limit that needs
    a device. An input that is too long (A003) is no error: it excludes the model.
    """
    _check_sizes(graphs, question.sizes)
    return [
        _held(_candidate(name, graph, question, limits, place), limits, place)
        for name, graph in graphs.items()
    ]


def _check_sizes(graphs: Mapping[str, Graph], sizes: Mapping[str, int]) -> None:
    known = {name for graph in graphs.values() for name in graph.dims}
    for name in sizes:
        if name not in known:
            hint = did_you_mean(name, known) or f"sizes: {', '.join(sorted(known))}"
            raise ArchspecError(Diagnostic("A002", f"no model here has a size '{name}'", None, hint))


def _candidate(
    name: str, graph: Graph, question: Question, limits: Mapping[str, float], place: Place | None
) -> Candidate:
    sizes = {size: value for size, value in question.sizes.items() if size in graph.dims}
    subject = Subject(Account(graph, replace(question, sizes=sizes)), place)
    wanted = [m for m in MEASURES if place or m in limits or m not in ON_A_DEVICE]
    longest = longest_input(graph, sizes)
    try:
        check_positions(graph, Sizes.of(graph, sizes))
        return Candidate(name, {m: MEASURES[m].of(subject) for m in wanted}, longest)
    except ArchspecError as error:
        if any(found.code != "A003" for found in error.diagnostics):
            raise
        counts = {m: MEASURES[m].of(subject) for m in ("params", "active")}
        reasons = tuple(found.message for found in error.diagnostics)
        return Candidate(name, counts, longest, reasons)


def _held(one: Candidate, limits: Mapping[str, float], place: Place | None) -> Candidate:
    """The candidate with the constraints that it breaks."""
    if one.excluded:
        return one
    excluded, doubtful = list[str](), list[str]()
    for name, limit in limits.items():
        value = one.figures.get(name)
        if value is None:
            excluded.append(f"{MEASURES[name].label} is not known")
        elif worst(value) > limit:
            sure = not isinstance(value, Range) or value.best > limit
            (excluded if sure else doubtful).append(_over(name, value, limit))
    capacity = place and place.device.memory and place.device.capacity()
    if place and capacity and one.at_worst("memory") > capacity:
        excluded.append(
            f"{_over('memory', one.figures['memory'], capacity)}, the memory of {place.device.name}"
        )
    return replace(one, excluded=tuple(excluded), doubtful=tuple(doubtful))


def _over(name: str, value: Figure, limit: float) -> str:
    measure = MEASURES[name]
    return f"{measure.label} {shown(value, measure.unit)}, over {shown(float(limit), measure.unit)}"


def longest_input(graph: Graph, sizes: Mapping[str, int]) -> int | None:
    """The longest input that its tables of positions hold; None where none ends it below a million tokens."""
    length = graph.stream or (graph.dims[1] if len(graph.dims) > 1 else None)
    if length is None or _holds(graph, {**sizes, length: _SEARCHED}):
        return None
    low, high = 0, _SEARCHED
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _holds(graph, {**sizes, length: middle}) else (low, middle)
    return low


def _holds(graph: Graph, sizes: Mapping[str, int]) -> bool:
    try:
        check_positions(graph, Sizes.of(graph, sizes))
    except ArchspecError as error:
        if any(found.code != "A003" for found in error.diagnostics):
            raise
        return False
    return True


def dominated(one: Candidate, others: Sequence[Candidate]) -> str | None:
    """The name of another candidate that costs no more in anything, and less in something.

    Both ends of estimates are compared with each other: models are taken to reach the same efficiency.
    """
    return next((o.name for o in others if o.name != one.name and _better(o, one)), None)


def _better(a: Candidate, b: Candidate) -> bool:
    pairs = [pair for name in COSTS for pair in _pairs(name, a.figures.get(name), b.figures.get(name))]
    longest = [float("inf") if x.longest is None else x.longest for x in (a, b)]
    pairs.append((-longest[0], -longest[1]))
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


def _pairs(name: str, a: Figure, b: Figure) -> list[tuple[float, float]]:
    """What is compared of two figures, so that less is better."""
    if a is None or b is None:
        return []
    sign = -1 if MEASURES[name].more else 1
    ends = ((x.best, x.worst) if isinstance(x, Range) else (x, x) for x in (a, b))
    return [(sign * x, sign * y) for x, y in zip(*ends, strict=True)]
