"""What was measured of a model on a machine, beside what was estimated for it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from archspec.analysis.device import Device
from archspec.analysis.latency import Latency
from archspec.analysis.ranges import Band
from archspec.analysis.roofline import Efficiency, Load, Timing, total
from archspec.analysis.sizes import number
from archspec.reports.account import Account
from archspec.reports.on_device import loads
from archspec.reports.serving import served
from archspec.reports.table import Row, Table


class Measured(Struct, frozen=True):
    """One workload: `forward`, `decode` or `train`.

    `memory`: bytes that the system or torch's allocator gave it at most; `live`: bytes of storages that were
    alive in it at most. None where neither is known. `items` of a `unit` are done in a run. `where`:
    behind what it took place.
    """

    name: str
    latency: Latency
    items: int
    unit: str
    memory: int | None = None
    live: int | None = None
    where: str = ""


class Estimate(Struct, frozen=True):
    """The ideal of the same workload on a device: its operations, their time, and the peak of live bytes."""

    loads: tuple[Load, ...]
    ideal: Timing
    live: int | None = None

    @property
    def flops(self) -> float:
        return sum(load.flops for load in self.loads)

    @property
    def nbytes(self) -> float:
        return sum(load.bytes for load in self.loads)


def estimate(account: Account, name: str, device: Device) -> Estimate:
    """What a workload would take at the device's peaks. Raises ArchspecError A001, D003."""
    if name == "decode":
        each, live = (_decode(account),), None
    elif name == "train":
        each, live = tuple(_train(account)), None
    else:
        each, live = tuple(loads(account.inference)), account.inference.peak
    return Estimate(each, total(each, device), live)


def _decode(account: Account) -> Load:
    """A step reads the weights that it needs, and the state of every sequence."""
    model, batch = served(account), account.question.sizes[account.graph.dims[0]]
    context = account.past or 0
    flops = batch * model.step_flops(context)
    moved = model.step_bytes(batch) + batch * model.state_bytes(context)
    return Load(flops, moved, account.question.dtype, "decode")


def _train(account: Account) -> Iterator[Load]:
    """Products forward and backward; bytes of weights, gradients and moments, each read and written once."""
    policy, trace = account.question.policy, account.training
    flops = trace.flops + trace.backward_flops
    yield Load(flops, 2.0 * account.optimizer.total, policy.autocast or policy.dtype, "train")


class Profile(Struct, frozen=True):
    """What was measured, each beside its estimate on `device`. `how`: threads, runs, weights."""

    results: tuple[tuple[Measured, Estimate], ...]
    device: Device
    dtype: str
    how: tuple[str, ...]

    def tables(self) -> list[Table]:
        """Times, memory, and which share of the device's peaks was reached. Raises ArchspecError D003."""
        return [_table(done, ideal, self) for done, ideal in self.results]

    def reached(self) -> Efficiency:
        """What later estimates may use: the share of the roofline that was reached.

        From the 90th percentile to the fastest run; MFU of the first workload that compute bounds, MBU of the
        first that memory bounds. Where one of them was not met, it takes what the other reached.
        """
        found = dict[str, Band]()
        for done, ideal in self.results:
            found.setdefault(ideal.ideal.bound, self._band(done, ideal))
        either = next(iter(found.values()))
        return Efficiency(found.get("compute", either), found.get("memory", either))

    def _band(self, done: Measured, ideal: Estimate) -> Band:
        low, high = (min(1.0, ideal.ideal.seconds / done.latency.at(share)) for share in (0.9, 0.0))
        said = f"{done.name} of a profile, {done.latency.runs} runs on {self.device.title}"
        return Band(low, high, said + (", above its measured peaks" if high == 1 else ""))


def _table(done: Measured, ideal: Estimate, profile: Profile) -> Table:
    times, device = done.latency, profile.device
    rows = [
        Row("p50", (times.p50, ideal.ideal.seconds), "s", f"estimated: ideal, {ideal.ideal.bound}-bound"),
        Row("p90", (times.at(0.9), None), "s"),
        Row("p99", (times.at(0.99), None), "s", times.note()),
        Row(f"{done.unit} per second", (done.items / times.p50, done.items / ideal.ideal.seconds), "1/s"),
        Row("memory, most alive", (done.live, ideal.live), "B", "storages beside weights and inputs"),
        Row("memory, most taken", (done.memory, None), "B", "of the first run, beside what was taken before"),
        *_shares(done, ideal, device, profile.dtype),
    ]
    rows = [row for row in rows if any(value is not None for value in row.values)]
    return Table(
        f"{done.name}{done.where} on {device.title}", tuple(rows), ("measured", "estimated"), profile.how
    )


def _shares(done: Measured, ideal: Estimate, device: Device, dtype: str) -> Iterator[Row]:
    """MFU and MBU as they are usually said, and the share of the roofline, which is what estimates go by."""
    kind = next((load.dtype for load in ideal.loads if load.flops), dtype)
    if ideal.flops:
        yield Row(
            "MFU", (ideal.flops / done.latency.p50 / device.peak(kind), None), "share", "FLOPs over the peak"
        )
    yield Row(
        "MBU",
        (ideal.nbytes / done.latency.p50 / device.bandwidth(), None),
        "share",
        "bytes over the bandwidth",
    )
    yield Row(
        "share of the roofline",
        (ideal.ideal.seconds / done.latency.p50, None),
        "share",
        "ideal time over p50",
    )


def items(account: Account, name: str) -> tuple[int, str]:
    """What one run does: tokens where the model streams, else samples of its first size."""
    sizes, stream = account.question.sizes, account.graph.stream
    batch = number(account.sizes.values.get(account.graph.dims[0], 1), "the batch")
    if name == "decode":
        return batch, "tokens"
    return (batch * sizes[stream], "tokens") if stream else (batch, "samples")


def device_table(device: Device) -> Table:
    """The figures of a device."""
    rows = [
        Row(f"peak in {dtype}", (figure.value,), "FLOP/s", figure.note)
        for dtype, figure in device.peak_flops.items()
    ]
    if device.memory_bandwidth:
        rows.append(
            Row("memory bandwidth", (device.memory_bandwidth.value,), "B/s", device.memory_bandwidth.note)
        )
    if device.memory:
        rows.append(Row("memory", (int(device.memory.value),), "B", device.memory.note))
    return Table(device.title, tuple(rows))
