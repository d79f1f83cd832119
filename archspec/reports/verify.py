"""Predictions beside what a run of the real module did: where they agree, and where they part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from archspec.analysis.sizes import number
from archspec.backends.torch.fake.trace import Trace
from archspec.backends.torch.observed import Forward, Kept, Module, Other, Step
from archspec.ir.graph import Apply, Repeat, walk
from archspec.ir.ops.recurrence import Scan
from archspec.reports.account import Account
from archspec.reports.align import differing_allocation, differing_product, differing_saved, saved_key
from archspec.reports.table import Row, Table, Unit

Why: TypeAlias = Callable[[], str]
Verdict: TypeAlias = Literal["agrees", "explained", "assumed", "differs", "not verified"]
_FUSED = "scaled_dot_product_attention"
_ROUTING = "which rows an expert gets is for the data to say; an even spread was predicted"


class Line(Struct, frozen=True):
    """One number. `explained`: the reason of a difference is known; `assumed`: only data gives the number."""

    label: str
    predicted: int | None
    measured: int | None
    unit: Unit
    verdict: Verdict
    note: str = ""


class Verified(Struct, frozen=True):
    """Every line, and what the comparison is of."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether no line differs without a reason."""
        return all(line.verdict != "differs" for line in self.lines)

    def table(self) -> Table:
        rows = [
            Row(line.label, (line.predicted, line.measured, line.verdict), line.unit, line.note)
            for line in self.lines
        ]
        return Table(
            "Predicted, and measured on the real module",
            tuple(rows),
            ("predicted", "measured", "verdict"),
            self.notes,
        )


class Observed(Struct, frozen=True):
    """What was seen of a real module; None where it could not run. `unseen`: what was not, and why."""

    module: Module
    forward: Forward | None = None
    step: Step | None = None
    other: Other | str | None = None
    unseen: tuple[tuple[str, str], ...] = ()


def compare(account: Account, seen: Observed) -> Iterator[Line]:
    """Every number that is predicted and was measured. Raises what the account raises."""
    yield from _module(account, seen.module)
    if seen.forward:
        yield from _forward(account, seen.forward)
        yield _graph(account, seen.forward)
    if seen.other:
        yield _other(account, seen.other)
    if seen.step:
        yield from _step(account, seen.step)
    for what, why in seen.unseen:
        yield Line(what, None, None, "", "not verified", why)


def _module(account: Account, module: Module) -> Iterator[Line]:
    p, dtype = account.parameters, account.question.dtype
    yield _line("parameters", p.total, module.parameters, "count")
    yield _line("numbers that do not learn", p.buffers, module.buffers, "count")
    yield _line(f"bytes in {dtype}", p.bytes(dtype), module.nbytes, "B")


def _forward(account: Account, run: Forward) -> Iterator[Line]:
    trace, routed = account.inference, _routes(account)
    yield _line(
        "forward FLOPs of the run", trace.flops, run.flops, "FLOP", routed,
        lambda: differing_product(trace.kernels, run.ran),
    )  # fmt: skip
    lost = sum(k.flops for k in trace.kernels if k.name == _FUSED) if run.peak is not None else 0
    yield _line(
        "as FlopCounterMode counts them", trace.flops - lost, run.counted, "FLOP", routed,
        agreed=f"it does not know attention that is fused on a CPU: {lost:,} FLOP" if lost else "",
    )  # fmt: skip
    if run.peak is not None:
        yield _line(
            "peak of the forward pass", trace.peak, run.peak, "B", routed,
            lambda: differing_allocation(trace.kernels, run.ran) or f"{trace.peak_at}; ran {run.peak_at}",
            agreed=f"at {trace.peak_at}",
        )  # fmt: skip


def _graph(account: Account, run: Forward) -> Line:
    """The graph counts attention between all pairs, and recurrences step by step; a run may do otherwise."""
    full = number(account.forward.forward.full, "FLOPs")
    line = _line("forward FLOPs of the graph, all pairs", full, run.flops, "FLOP", _routes(account))
    if line.verdict == "agrees" or run.flops != account.inference.flops:
        return line
    reason = _otherwise(account, full)
    return Line(line.label, full, run.flops, "FLOP", "explained" if reason else "differs", reason)


def _otherwise(account: Account, full: int) -> str:
    """Why a run that is predicted as it is computes another number of products than its graph counts."""
    question = account.question
    if any(_is_scan(node) for _, region, _ in walk(account.graph.root) for node in region.nodes):
        return "recurrences are computed in chunks, as products of matrices"
    stepwise = Account(account.graph, replace(question, attention="eager"))
    if question.attention != "eager" and stepwise.inference.flops == full:
        return (
            f"{question.attention} computes windows in blocks, sinks as a key; eager is as the graph counts"
        )
    return ""


def _routes(account: Account) -> bool:
    """Whether experts share rows in a way that only data knows."""
    nodes = (node for _, region, _ in walk(account.graph.root) for node in region.nodes)
    return any(isinstance(node, Repeat) and node.rows is not None for node in nodes)


def _is_scan(node: object) -> bool:
    return isinstance(node, Apply) and isinstance(node.op, Scan)


def _other(account: Account, other: Other | str) -> Line:
    label = "as fvcore counts them, times 2"
    if isinstance(other, str):
        return Line(label, None, None, "FLOP", "not verified", other)
    trace = account.inference
    lost = sum(k.flops for k in trace.kernels if k.name == _FUSED) if _FUSED in other.skipped else 0
    most = sorted(other.skipped, key=lambda name: (name != _FUSED, -other.skipped[name], name))[:4]
    note = f"it prints multiply-adds as flops, and knows nothing of {', '.join(most) or 'nothing'}"
    verdict: Verdict = "agrees" if trace.flops - lost == other.flops else "explained"
    if verdict == "explained":
        note = f"fvcore counts otherwise; {note}"
    return Line(label, trace.flops - lost, other.flops, "FLOP", verdict, note)


def _step(account: Account, step: Step) -> Iterator[Line]:
    trace, routed = account.training, _routes(account)
    forward, backward = (sum(one.flops for one in ran) for ran in (step.forward, step.backward))
    yield _line(
        "forward FLOPs, training", trace.flops, forward, "FLOP", routed,
        lambda: differing_product(trace.kernels, step.forward),
    )  # fmt: skip
    yield _backward(trace, backward, routed, meta=step.kept is None)
    if step.kept is not None:
        sizes = Counter[Kept]()
        for one in trace.saved:
            sizes[saved_key(one)] += one.nbytes
        yield _line(
            "kept for the backward pass", trace.activations + trace.weight_copies, step.kept, "B", routed,
            lambda: differing_saved(trace.saved, step.saved, sizes),
        )  # fmt: skip
    if step.peak is not None:
        found = account.training_step
        yield _line("peak of a step", found.peak, step.peak, "B", routed, agreed=f"at {found.peak_at}")


def _backward(trace: Trace, ran: int, routed: bool, *, meta: bool) -> Line:
    """Fused attention multiplies queries and keys again on the way back; the meta device does not fuse."""
    line = _line("backward FLOPs of the run", trace.backward_flops, ran, "FLOP", routed)
    fused = sum(kernel.flops for kernel in trace.kernels if kernel.name == _FUSED)
    if meta and fused and trace.backward_flops - ran == fused // 2:
        note = (
            f"fused attention computes its scores again, {fused // 2:,} FLOP; the meta device does not fuse"
        )
        return Line(line.label, trace.backward_flops, ran, "FLOP", "explained", note)
    return line


def _line(
    label: str, predicted: int, measured: int, unit: Unit, routed: bool = False, why: Why | None = None,
    agreed: str = "",
) -> Line:  # fmt: skip
    if predicted == measured:
        return Line(label, predicted, measured, unit, "agrees", agreed)
    if routed:
        return Line(label, predicted, measured, unit, "assumed", _ROUTING)
    return Line(label, predicted, measured, unit, "differs", why() if why else "")
