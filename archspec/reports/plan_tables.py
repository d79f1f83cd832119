"""A plan of training as tables: the fastest layouts, the first of them in detail, and what was tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from archspec.analysis.sharding import LayoutError, communication, devices, place
from archspec.analysis.step_load import at_sizes
from archspec.analysis.step_parts import bytes_of
from archspec.analysis.training_cost import HOUR
from archspec.reports.plan import Candidate, Plan, expected
from archspec.reports.table import Row, Table, Unit, Value

_COLUMNS: tuple[tuple[str, Unit, Callable[[Candidate], Value]], ...] = (
    ("dp", "", lambda one: one.layout.dp),
    ("tp", "", lambda one: one.layout.tp),
    ("sp", "", lambda one: "yes" if one.layout.sp else "no"),
    ("pp", "", lambda one: one.layout.pp),
    ("interleave", "", lambda one: one.layout.interleave),
    ("cp", "", lambda one: one.layout.cp),
    ("ep", "", lambda one: one.layout.ep),
    ("zero", "", lambda one: one.layout.zero),
    ("sequences in a microbatch", "", lambda one: one.microbatch),
    ("microbatches", "", lambda one: one.layout.microbatches),
    ("computed again", "", lambda one: one.recompute),
    ("step", "s", lambda one: one.time.seconds),
    ("bubble", "share", lambda one: one.time.bubble / one.time.seconds),
    ("memory", "B", lambda one: one.memory.total),
)
_DULL = {"sp": "no", "interleave": 1, "cp": 1, "ep": 1, "zero": 0, "pp": 1}
_AXES = {
    "tp": "tensor parallelism", "sp": "sequence parallelism", "ep": "experts", "cp": "context parallelism",
    "pp": "neighbouring stages", "ends": "the tied ends", "dp": "replicas", "edp": "replicas of experts",
}  # fmt: skip


def plan_tables(plan: Plan, top: int = 10) -> list[Table]:
    """The `top` fastest side by side, the first in detail, what was tried. Raises what `Plan` raises."""
    best = plan.fitting[0]
    found = [
        ranking(plan, plan.fitting[: max(top, 1)]),
        time(plan, best),
        memory(plan, best),
        sent(plan, best),
    ]
    if plan.goal.tokens:
        found.append(run(plan, best, plan.goal.tokens))
    return [*found, tried(plan)]


def ranking(plan: Plan, shown: tuple[Candidate, ...]) -> Table:
    rows = [Row(label, tuple(map(of, shown)), unit) for label, unit, of in _COLUMNS]
    rows = [row for row in rows if set(row.values) != {_DULL.get(row.label)}]
    rows.append(Row("MFU", tuple(plan.mfu(one) for one in shown), "share"))
    rows.append(Row("tokens", tuple(plan.tokens_per_step / one.time.seconds for one in shown), "1/s"))
    where = f"{plan.cluster.gpus} x {plan.cluster.device.title}"
    title = f"'{plan.graph.name}' on {where}, {plan.goal.batch:,} sequences a step"
    ends = expected(1.0)
    notes = (
        "ranked by a model of the time that was fitted on A100; memory: of the fullest device",
        f"a step is expected to take {ends.best:g} to {ends.worst:g} times what is said here",
    )
    return Table(title, tuple(rows), tuple(str(i) for i in range(1, len(shown) + 1)), notes)


def time(plan: Plan, one: Candidate) -> Table:
    """Seconds part by part."""
    parts = one.time
    rate = expected(parts.seconds).rate(plan.tokens_per_step)
    rows = [
        Row("computing", (parts.computing,), "s", f"computed again: {one.recompute}"),
        Row("sending inside stages and between them", (parts.sending,), "s", "nothing hides it"),
        Row("waiting in the pipeline", (parts.bubble,), "s"),
        Row("sums over replicas", (parts.replicas,), "s", "what computing does not hide"),
        Row("optimizer", (parts.optimizer,), "s", plan.goal.optimizer),
        Row("step", (expected(parts.seconds),), "s"),
        Row("tokens", (rate,), "1/s"),
        Row("MFU", (expected(1 / plan.mfu(one)).rate(1.0),), "share"),
    ]
    notes = (
        "by a model that is within 3.2 % of eight published times on A100; with PyTorch's kernels on H100 a "
        "published time is twice the model's: hence the range",
    )
    return Table("A step of the fastest layout", tuple(rows), notes=notes)


def memory(plan: Plan, one: Candidate) -> Table:
    held, layout = one.memory, one.layout
    free = plan.available - held.total
    rows = [
        Row("weights", (held.weights,), "B", plan.goal.precision),
        Row("gradients", (held.gradients,), "B"),
        Row("optimizer", (held.optimizer,), "B", plan.goal.optimizer),
        Row("activations", (held.activations,), "B", f"{layout.in_flight(held.stage)} chunks in flight"),
        Row("together", (held.total,), "B", f"of stage {held.stage}"),
        Row("free beside it", (free,), "B"),
        Row("left out", (plan.cluster.reserve,), "B", "for the runtime, buffers and gaps: --reserve"),
    ]
    return Table("Memory of its fullest device", tuple(rows))


def sent(plan: Plan, one: Candidate) -> Table:
    """Bytes that a device of the fullest stage sends in a step, by axis."""
    placed = place(plan.model, one.layout)
    sizes = at_sizes(placed.sharded, {**plan.goal.sizes, plan.batch_size: one.microbatch})
    amounts, counts = Counter[str](), dict[str, int]()
    for c in communication(placed, one.memory.stage):
        count = counts[c.over] = devices(placed, c)
        width = int(plan.kept.gradient) if c.when == "step" and c.kind != "all_gather" else plan.width
        amounts[c.over] += bytes_of(c, sizes, count, width)
    rows = [
        Row(_AXES[over], (float(amount),), "B", _link(plan, one, over, counts[over]))
        for over, amount in amounts.items()
    ]
    return Table(
        "What one of its devices sends in a step",
        tuple(rows),
        notes=("by rings; forward and backward, recomputing left out",),
    )


def _link(plan: Plan, one: Candidate, over: str, count: int) -> str:
    speed = plan.speed
    inside = speed.between(one.layout, over, count) == speed.link
    return "inside a node" if inside else "between nodes"


def run(plan: Plan, one: Candidate, tokens: float) -> Table:
    """A whole run: time, device hours, money."""
    steps = tokens / plan.tokens_per_step
    wall = expected(one.time.seconds).scaled(steps)
    hours = wall.scaled(plan.cluster.gpus / HOUR)
    device = plan.cluster.device
    rows = [
        Row("steps", (round(steps),), "count"),
        Row("wall clock", (wall,), "s"),
        Row("device hours", (hours,), "h"),
        Row("money", (hours.times(device.dollars_per_hour()) if device.price else None,), "$"),
    ]
    return Table(
        f"A run of {tokens:,.0f} tokens", tuple(rows), notes=("without restarts, evaluation and checkpoints",)
    )


def tried(plan: Plan) -> Table:
    """How many layouts there are, and what keeps the others out."""
    rows = [
        Row("layouts and ways to compute again", (len(plan.tried),), "count"),
        Row("fit", (len(plan.fitting),), "count", f"of {plan.cluster.device.title}"),
        *(Row(f"kept out by {what}", (many,), "count") for what, many in plan.excluded.items()),
        *(Row(f"tp {tp} is impossible", (why,)) for tp, why in refused(plan)),
    ]
    return Table("What was tried", tuple(rows))


def refused(plan: Plan) -> Iterator[tuple[int, str]]:
    """The sizes of tp that would fit the node and the cluster, but not the model."""
    most = min(plan.speed.per_node, plan.cluster.gpus)
    for tp in (tp for tp in range(2, most + 1) if plan.cluster.gpus % tp == 0):
        try:
            plan.model.shard(tp)
        except LayoutError as error:
            yield tp, error.diagnostics[0].message
