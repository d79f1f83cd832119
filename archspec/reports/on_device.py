"""An account on a device: time, throughput, money, and what fits."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from archspec.analysis.capacity import Fit, largest_batch, longest_context
from archspec.analysis.device import Device
from archspec.analysis.positions import check_positions
from archspec.analysis.ranges import Range, positive
from archspec.analysis.roofline import Efficiency, Load, time_range, total
from archspec.analysis.serving_cost import Requests, ServingCost, serving_cost
from archspec.analysis.sizes import Sizes, number
from archspec.analysis.training_cost import TrainingRun, compute_optimal, training_cost
from archspec.errors import ArchspecError
from archspec.reports.account import Account
from archspec.reports.serving import loads, read_bytes, served
from archspec.reports.table import Row, Table, Value

MOST_TOKENS = 1 << 24
OUTPUTS = 128  # tokens of an answer, where nobody says how many


class Place(Struct, frozen=True):
    """A device, how many train together, the tokens of a training run, and what is reached of its peaks.

    `outputs`: the tokens that a request asks for; by default 128, or one where positions end before.
    """

    device: Device
    devices: int = 1
    tokens: float | None = None
    outputs: int | None = None
    reached: Efficiency = Efficiency()

    def __post_init__(self) -> None:
        """Raises ArchspecError D004 for what is no number of devices or tokens."""
        positive("devices", self.devices)
        for name, given in (("tokens", self.tokens), ("outputs", self.outputs)):
            if given is not None:
                positive(name, given)


def on_device(account: Account, place: Place) -> Iterator[Table]:
    """Time and money. Raises ArchspecError A001 where a size is missing, D003 where a figure is."""
    yield _forward(account, place)
    yield _operations(account, place)
    yield _serving(account, place)
    yield _fits(account, place)
    yield _training(account, place)


def _forward(account: Account, place: Place) -> Table:
    each = loads(account.inference, account.forward)
    ideal = total(each, place.device)
    moved = sum(load.bytes for load in each)
    flops = sum(load.flops for load in each)
    rows = (
        Row("bytes moved", (int(moved),), "B", "each operation reads its operands and writes its results"),
        Row("arithmetic intensity", (flops / moved,), "FLOP/B"),
        Row("ideal time", (ideal.seconds,), "s", f"roofline of every operation; {ideal.bound}-bound"),
        Row("no schedule is faster than", (ideal.floor_seconds,), "s"),
        Row("expected", (time_range(each, place.device, place.reached),), "s", _reached(place.reached)),
    )
    notes = (
        "fused attention computes the pairs that its mask lets through; launching kernels takes no time here",
    )
    return Table(f"Forward on {place.device.title}", rows, notes=notes)


def _operations(account: Account, place: Place) -> Table:
    """Operations of one name together, the longest first."""
    groups = dict[str, list[Load]]()
    for load in loads(account.inference, account.forward):
        groups.setdefault(load.name, []).append(load)
    times = {name: total(each, place.device) for name, each in groups.items()}
    rows = [
        Row(
            name,
            (
                int(sum(x.flops for x in groups[name])),
                int(sum(x.bytes for x in groups[name])),
                times[name].seconds,
            ),
            ("FLOP", "B", "s"),
            f"{times[name].bound}-bound, {len(groups[name])} times",
        )
        for name in sorted(groups, key=lambda name: -times[name].seconds)[:10]
    ]
    return Table("Where the ideal time goes", tuple(rows), ("FLOPs", "bytes", "time"))


def _reached(reached: Efficiency) -> str:
    mfu, mbu = reached.mfu, reached.mbu
    return (
        f"at {mfu.high:.0%} to {mfu.low:.0%} of the FLOP/s, {mbu.high:.0%} to {mbu.low:.0%} of the bandwidth"
    )


def requests(account: Account, outputs: int | None = None) -> Requests:
    """The account's batch and length as requests; a model that does not stream gives one output."""
    graph, sizes = account.graph, account.question.sizes
    batch, *rest = graph.dims
    inputs = sizes.get(graph.stream or (rest[0] if rest else ""), 1)
    if account.decode is None:
        return Requests(sizes[batch], inputs, 1)
    return Requests(sizes[batch], inputs, outputs or (OUTPUTS if _reaches(account, inputs + OUTPUTS) else 1))


def _reaches(account: Account, tokens: int) -> bool:
    """Whether the model has positions for so many tokens."""
    stream = account.graph.stream or ""
    try:
        check_positions(account.graph, Sizes.of(account.graph, {**account.question.sizes, stream: tokens}))
    except ArchspecError:
        return False
    return True


def _serving(account: Account, place: Place) -> Table:
    asked = requests(account, place.outputs)
    cost = serving_cost(served(account), place.device, asked, place.reached)
    if account.decode is None:
        rows = [
            Row("request", (cost.request,), "s", f"{cost.prefill_bound}-bound"),
            Row("requests", (cost.requests_per_second,), "1/s"),
            Row("1,000 requests", (cost.dollars_per_1000_requests,), "$"),
        ]
        return Table(f"Serving {asked.batch} at once", _known(rows))
    title = f"Serving {asked.batch} at once, {asked.inputs:,} tokens in, {asked.outputs:,} out"
    read = read_bytes(account.graph, account.question.dtype, asked.batch)
    rows = [
        Row("time to first token", (cost.first_token,), "s", f"{cost.prefill_bound}-bound"),
        Row("time per output token", (cost.next_token,), "s", f"{cost.decode_bound}-bound"),
        Row("request", (cost.request,), "s", "first to last token, without waiting"),
        Row("output tokens", (cost.tokens_per_second,), "1/s", "of the whole batch"),
        Row("weights read per step", (int(read),), "B"),
        *_money(cost),
    ]
    return Table(title, _known(rows))


def _known(rows: list[Row]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.values[0] is not None)


def _money(cost: ServingCost) -> list[Row]:
    return [
        Row("1,000 requests", (cost.dollars_per_1000_requests,), "$"),
        Row("1M input tokens", (cost.dollars_per_million_inputs,), "$"),
        Row("1M output tokens", (cost.dollars_per_million_outputs,), "$"),
    ]


def _fits(account: Account, place: Place) -> Table:
    asked, model = requests(account, place.outputs), served(account)
    context = asked.inputs + asked.outputs - 1
    at = f" at {context:,} tokens" if account.decode is not None else ""
    fit = largest_batch(model, place.device, context, limit=1 << 16)
    rows = [Row("weights", (model.weight_bytes,), "B", "which do not fit" if not fit.largest else "")]
    rows.append(_fit(f"largest batch{at}", fit))
    if account.state.per_token:
        fit = longest_context(model, place.device, asked.batch, chunk=asked.inputs, limit=_positions(account))
        rows.append(_fit(f"longest context at a batch of {asked.batch}", fit))
    rows += _training_fits(account, place)
    notes = (f"a batch is filled all at once, a context by {asked.inputs:,} tokens at a time",)
    return Table(f"What fits {place.device.title}", tuple(rows), notes=notes if account.decode else ())


def _training_fits(account: Account, place: Place) -> list[Row]:
    """By how much the peak of a step grows from a batch to twice the batch."""
    sizes, batch = account.question.sizes, account.graph.dims[0]
    twice = replace(account.question, sizes={**sizes, batch: 2 * sizes[batch]})
    one, two = account.training_peak, Account(account.graph, twice).training_peak
    free = place.device.capacity() - account.optimizer.total - (2 * one - two)
    largest = max(0, int(free // (two - one) * sizes[batch])) if two > one else 0
    return [
        Row(
            "largest batch of training",
            (largest,),
            "",
            "estimate: as the peak of a step grows with the batch",
        )
    ]


def _positions(account: Account) -> int:
    """The most tokens that the model has positions for, as far as is searched."""
    low, high = 1, MOST_TOKENS
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _reaches(account, middle) else (low, middle - 1)
    return low


def _fit(label: str, fit: Fit) -> Row:
    note = f"{fit.binding} stand in the way of more"
    if fit.binding == "limit":
        note = "as far as the model has positions, or as was searched"
    return Row(label, (fit.largest,), "", note)


def _training(account: Account, place: Place) -> Table:
    """One step, and a whole run where its tokens are said."""
    done = account.step
    step = number((done.forward.products + done.backward).nearest, "FLOPs")
    mfu = place.reached.mfu
    try:
        peak = place.device.peak(account.question.policy.autocast or account.question.policy.dtype)
    except ArchspecError as error:
        return Table("Training", (), notes=tuple(one.message for one in error.diagnostics))
    time = Range(step / (peak * mfu.high), step / (peak * mfu.low))
    rows = [Row("step on one device", (time,), "s", f"MFU {mfu.high:.0%} to {mfu.low:.0%}")]
    notes = [
        f"MFU: {mfu.source}; two runs of 8B parameters reach 14 and 16 %, by hours of more than pre-training"
    ]
    notes.append("MFU counts what is computed again as lost time, not as FLOPs")
    if place.tokens:
        rows += _run(account, place, step)
        notes.append("energy: thermal design power times the overhead of a data centre, without hosts")
    return Table("Training", tuple(rows), notes=tuple(notes))


def _run(account: Account, place: Place, step: int) -> list[Row]:
    assert place.tokens is not None
    sizes = account.question.sizes
    a_step = sizes[account.graph.dims[0]] * requests(account, 1).inputs
    active = account.parameters.active
    dtype = account.question.policy.autocast or account.question.policy.dtype
    run = TrainingRun(step / a_step * place.tokens, active, place.tokens, place.devices, dtype)
    cost = training_cost(run, place.device, place.reached.mfu)
    best = compute_optimal(cost.flops)
    rows: list[tuple[str, Value, str, str]] = [
        ("tokens", place.tokens, "count", f"{cost.tokens_per_parameter:.1f} per parameter"),
        ("FLOPs", cost.flops, "FLOP", "attention exact, nothing computed again"),
        ("by 6ND", cost.six_nd, "FLOP", "6 per parameter and token"),
        ("device hours", cost.device_hours, "h", ""),
        ("wall clock", cost.wall_clock_hours.scaled(3600), "s", ""),
        ("money", cost.dollars, "$", "at the prices of the device's file"),
        ("energy", cost.kilowatt_hours, "kWh", ""),
        ("compute-optimal parameters", best.parameters, "count", best.source),
        ("compute-optimal tokens", best.tokens, "count", best.source),
    ]
    return [Row(label, (value,), unit, note) for label, value, unit, note in rows]  # pyright: ignore[reportArgumentType]  # units are written above
