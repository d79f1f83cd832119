"""A plan of training: which layouts of a model fit a cluster, and how long a step of each takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property

from msgspec import Struct, field

from archspec.analysis import optimizer
from archspec.analysis.device import Device
from archspec.analysis.positions import check_positions
from archspec.analysis.ranges import Range, at_least, positive
from archspec.analysis.sharding import (
    Layout,
    LayoutError,
    Placed,
    Shardable,
    layouts,
    place,
)
from archspec.analysis.sharding.activations import RECOMPUTE
from archspec.analysis.sizes import PAST, Sizes
from archspec.analysis.speed import NETWORK, Speed
from archspec.analysis.step_load import Memo
from archspec.analysis.step_memory import StageMemory, fullest
from archspec.analysis.step_parts import Asked, Parts, parts
from archspec.analysis.step_time import Kept, StepTime, step_time
from archspec.errors import ArchspecError, Diagnostic, did_you_mean
from archspec.ir.graph import Graph
from archspec.reports.learned import learned
from archspec.reports.question import PRECISIONS, Question
from archspec.units import size

GIB = 2**30
# Measured times over the model's. The best: the fastest of the eight runs that it was fitted on. The worst:
# torchtitan, Llama 3.1 8B on 8 H100 at 500 W with torch.compile, 6,667 tokens/s of each device; the model
# says 13,200 (benchmarks/llama3_h100_202412_torchtitan.md, table 1).
SPREAD = Range(0.97, 2.0)


class Cluster(Struct, frozen=True):
    """So many of a device, `per_node` joined by its link, `network` bytes/s between nodes for each.

    `reserve`: bytes of a device that a plan leaves free, for the runtime, buffers of collectives and gaps.
    """

    device: Device
    gpus: int
    per_node: int | None = None
    network: float = NETWORK
    reserve: int = 4 * GIB


class TrainingGoal(Struct, frozen=True):
    """What to train: `batch` sequences a step, the other sizes, as `Question` has them.

    `checkpoint`: none, selective, full, or any: none and full are tried. `attention`: only eager keeps
    scores. `tokens` of the whole run. `long`: layouts with context parallelism are tried, too.
    """

    batch: int
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    precision: str = "mixed"
    optimizer: str = "adam"
    checkpoint: str = "any"
    attention: str = "sdpa"
    tokens: float | None = None
    long: bool = False

    @property
    def fused(self) -> bool:
        """Whether attention keeps no scores."""
        return self.attention != "eager"


class Candidate(Struct, frozen=True):
    """A layout that fits: what its fullest device holds, and what a step takes by the model of its time."""

    layout: Layout
    recompute: str
    microbatch: int
    memory: StageMemory
    time: StepTime


class Plan:
    """All candidates, the fastest first, and what kept the others out.

    Raises ArchspecError: G016 where there is no layout, G017 where none fits, G006 for numbers below 1, G010
    for another checkpoint, D003 where the device lacks a figure, D005 for optimizer and precision, A001 and
    A002 for sizes.
    """

    def __init__(self, graph: Graph, cluster: Cluster, goal: TrainingGoal) -> None:
        self.graph, self.cluster, self.goal = graph, cluster, goal
        self.model = Shardable(graph)
        self.batch_size = graph.dims[0]
        check_positions(graph, Sizes.of(graph, {**goal.sizes, self.batch_size: goal.batch}))
        if goal.sizes.get(self.batch_size, goal.batch) != goal.batch:
            problem = f"{self.batch_size} is {goal.sizes[self.batch_size]}, and the batch {goal.batch}"
            raise ArchspecError(Diagnostic("A002", problem, None, f"leave {self.batch_size} out"))
        at_least("the reserve", 0, cluster.reserve)
        missing = [name for name in graph.dims[1:] if name not in goal.sizes]
        if missing:
            hint = f"give {' '.join(f'{name}=…' for name in missing)}"
            problem = f"a step of '{graph.name}' depends on {', '.join(missing)}"
            raise ArchspecError(Diagnostic("A001", problem, None, hint))
        policy = Question(precision=goal.precision).policy
        self.width = 4 if (policy.autocast or policy.dtype) == "float32" else 2
        self.dtype = policy.autocast or policy.dtype
        self.speed = Speed.of(cluster.device, self.dtype, cluster.per_node, cluster.network)
        self.available = cluster.device.capacity() - cluster.reserve
        others = {name: size for name, size in goal.sizes.items() if name != self.batch_size}
        self._memo = Memo(Sizes({**others, PAST: 0}))
        self._known = dict[tuple[object, ...], Parts]()

    @cached_property
    def kept(self) -> Kept:
        """Bytes of a parameter; of the optimizer the mean over all that learn."""
        rows = learned(self.graph)
        policy = optimizer.PRECISIONS[PRECISIONS[self.goal.precision].state]
        state = optimizer.training_state(rows, self.goal.optimizer, PRECISIONS[self.goal.precision].state)
        count = sum(row.count for row in rows if row.trainable)
        positive("parameters that learn", count)
        return Kept(policy.weights, policy.gradients, state.optimizer / count)

    @cached_property
    def recomputes(self) -> tuple[str, ...]:
        asked = self.goal.checkpoint
        if asked == "any":
            return ("none", "full") if self.goal.fused else RECOMPUTE
        if asked not in RECOMPUTE:
            hint = did_you_mean(asked, RECOMPUTE) or f"one of any, {', '.join(RECOMPUTE)}"
            problem = f"a plan does not know checkpointing '{asked}'"
            raise LayoutError(Diagnostic("G010", problem, None, hint))
        return (asked,)

    @cached_property
    def tried(self) -> tuple[Candidate, ...]:
        """Every legal layout under every recomputation, whether it fits or not."""
        return tuple(self._all())

    @cached_property
    def fitting(self) -> tuple[Candidate, ...]:
        """Those that fit, the fastest first; of those alike in three digits, larger microbatches first."""
        found = [one for one in self.tried if one.memory.total <= self.available]
        if not found:
            raise self._none()
        return tuple(sorted(found, key=_order))

    @property
    def excluded(self) -> Counter[str]:
        """How many do not fit, by what keeps them out."""
        over = (one.memory for one in self.tried if one.memory.total > self.available)
        return Counter(
            "weights, gradients and optimizer" if memory.states > self.available else "activations"
            for memory in over
        )

    def _all(self) -> Iterator[Candidate]:
        cluster, goal = self.cluster, self.goal
        known = layouts(self.model, cluster.gpus, self.speed.per_node, batch=goal.batch, long=goal.long)
        for layout in known:
            placed = place(self.model, layout)
            for recompute in self.recomputes:
                yield self.candidate(placed, recompute)

    def candidate(self, placed: Placed, recompute: str) -> Candidate:
        """What a layout holds and takes."""
        layout = placed.layout
        microbatch = self.goal.batch // (layout.dp * layout.microbatches)
        read = self._parts(layout, recompute, microbatch)
        again = "none" if recompute == "selective" and self.goal.fused else recompute
        time = step_time(placed, read, again, self.kept, self.speed)
        return Candidate(layout, recompute, microbatch, fullest(placed, read, self.kept), time)

    def _parts(self, layout: Layout, recompute: str, microbatch: int) -> Parts:
        """What layouts of the same tp, ep, cp and sp have in common."""
        key = (layout.tp, layout.ep, layout.cp, layout.sp, recompute, microbatch)
        if key not in self._known:
            sizes = {**self.goal.sizes, self.batch_size: microbatch}
            asked = Asked(sizes, recompute, self.goal.fused, self.width)
            self._known[key] = parts(self.model, layout, asked, self.speed, self._memo)
        return self._known[key]

    def _none(self) -> LayoutError:
        """G017, with what the smallest of them needs."""
        least = min(self.tried, key=lambda one: one.memory.total)
        memory, device = least.memory, self.cluster.device.title
        message = (
            f"none of {len(self.tried):,} layouts fits {self.cluster.gpus} x {device}: the smallest needs "
            f"{size(memory.total)} of {size(self.available)} on a device"
        )
        states = memory.states > self.available
        what = "weights, gradients and optimizer" if states else "activations"
        more = "more devices, or an optimizer that keeps less" if states else _fewer(least)
        return LayoutError(
            Diagnostic(
                "G017",
                message,
                None,
                f"{size(memory.states if states else memory.activations)} of it are {what}: {more}",
            )
        )

    @cached_property
    def flops(self) -> float:
        """FLOPs of a step as a model counts them: forward and backward, nothing twice."""
        whole = Layout()
        sizes = {**self.goal.sizes, self.batch_size: self.goal.batch}
        asked = Asked(sizes, "none", self.goal.fused, self.width)
        found = parts(self.model, whole, asked, self.speed)
        layers = sum(
            found.layers[path].flops * count for path, count in place(self.model, whole).stages[0].runs
        )
        return 3 * (layers + found.first.flops + found.last.flops)

    def mfu(self, one: Candidate) -> float:
        """The share of the peak that the model's FLOPs take, by the model of the time."""
        peak = self.cluster.device.peak(self.dtype) * self.cluster.gpus
        return self.flops / (peak * one.time.seconds)

    @property
    def tokens_per_step(self) -> int:
        """The batch times the size that streams, or the second one; items where there is none."""
        graph = self.graph
        length = graph.stream or (graph.dims[1] if len(graph.dims) > 1 else "")
        return self.goal.batch * self.goal.sizes.get(length, 1)


def _order(one: Candidate) -> tuple[float, int, float]:
    """Real kernels are slower on small microbatches, which the model does not see."""
    return float(f"{one.time.seconds:.2e}"), one.layout.microbatches, one.memory.total


def _fewer(least: Candidate) -> str:
    words = "" if least.recompute == "full" else "checkpoint in full, "
    return (
        f"{words}more devices, or a larger batch in more microbatches"
        if words
        else "more devices, or shorter sequences"
    )


def expected(seconds: float) -> Range:
    """The estimate as a range: see `SPREAD`."""
    return Range(seconds * SPREAD.best, seconds * SPREAD.worst)
