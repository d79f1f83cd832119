"""A plan of serving as tables: the devices, and each model's batch, memory, latency and cost."""

from __future__ import annotations

from collections.abc import Callable

from archspec.analysis.queueing import MOST_BUSY
from archspec.analysis.ranges import Range
from archspec.analysis.training_cost import HOUR
from archspec.reports.serving_plan import Group, Serving, ServingPlan
from archspec.reports.station import Carried
from archspec.reports.table import Row, Table, Unit, Value

_NOTES = (
    "streaming models: continuous batching at the mean load (Little's law); others: fixed batches, M/D/c",
    f"means, not tails; planned at the worse end of the efficiencies, at most {MOST_BUSY:.0%} busy",
    "room for a running batch two standard deviations above its mean (Poisson)",
)


def serving_tables(plan: ServingPlan) -> list[Table]:
    """Raises what `ServingPlan` raises."""
    return [placement(plan), *(model(plan, group, one) for group in plan.groups for one in group.models)]


def placement(plan: ServingPlan) -> Table:
    """Which models stand where, and what the devices cost."""
    rows = [
        Row(
            " and ".join(one.name for one in group.models),
            (group.units, group.tp, group.devices),
            "",
            _binding(group),
        )
        for group in plan.groups
    ]
    rows.append(Row("together", (None, None, plan.devices), "", f"of {plan.cluster.gpus}"))
    price = plan.cluster.device.price
    if price is not None:
        hourly = plan.cluster.device.dollars_per_hour().scaled(plan.devices)
        rows.append(Row("an hour", (None, None, hourly), "$", "the dear offer is the worse end"))
    title = f"Serving on {plan.cluster.device.title}"
    mfu, mbu = plan.reached.mfu, plan.reached.mbu
    band = (
        f"at {mfu.low:.0%} to {mfu.high:.0%} of the FLOP/s, {mbu.low:.0%} to {mbu.high:.0%} of the bandwidth"
    )
    return Table(title, tuple(rows), ("replicas", "tp", "devices"), (*_NOTES, band))


def _binding(group: Group) -> str:
    if group.units == 1:
        return "one replica is enough"
    return f"with one replica less {group.binding} is not enough"


def model(plan: ServingPlan, group: Group, one: Serving) -> Table:
    """One model: time, memory, money."""
    demand = plan.demands[one.name]
    station = plan.station(one.name, group.tp)
    held = station.weights + one.worst.bytes
    streams = station.streams
    asked = f"{demand.inputs:,} tokens in, {demand.outputs:,} out" if streams else ""
    rows: list[tuple[str, Value, Unit, str]] = [
        ("load", demand.rate, "1/s", asked),
        ("share of the devices' time", one.share, "share", ""),
        ("of it busy", _ends(one, lambda c: c.steady.busy), "share", ""),
        ("requests in a batch", _ends(one, lambda c: float(c.steady.together)), "count", "of one replica"),
        (
            "time to first token",
            _ends(one, lambda c: c.steady.first) if streams else None,
            "s",
            "with waiting",
        ),
        ("request", _ends(one, lambda c: c.steady.latency), "s", _target(demand.max_latency)),
        ("weights", station.weights, "B", "of a device"),
        ("state and activations", one.worst.bytes, "B", "of a device"),
        ("free on the device", plan.room - held, "B", "other models of the device not counted"),
        ("1,000 requests", _thousand(plan, group, one), "$", "its share of the devices"),
    ]
    shown = tuple(Row(label, (value,), unit, note) for label, value, unit, note in rows if value is not None)
    return Table(one.name, shown)


def _target(allowed: float | None) -> str:
    return "mean, with waiting" if allowed is None else f"mean, with waiting; at most {allowed:g} s"


def _ends(one: Serving, of: Callable[[Carried], float]) -> Range:
    return Range(of(one.best), of(one.worst))


def _thousand(plan: ServingPlan, group: Group, one: Serving) -> Range | None:
    """Dollars of 1,000 requests at the load, the devices paid for whether busy or not."""
    if plan.cluster.device.price is None:
        return None
    a_second = plan.cluster.device.dollars_per_hour().scaled(group.devices * one.share / HOUR)
    return a_second.scaled(1000 / plan.demands[one.name].rate)
