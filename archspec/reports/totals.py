"""The totals that a sweep computes, each an exact whole number of a graph at its sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TypeAlias

from msgspec import Struct

from archspec.analysis.flops import Flops
from archspec.analysis.optimizer import training_state
from archspec.analysis.pairs import BOUNDED
from archspec.analysis.parameters import Parameters
from archspec.analysis.positions import check_positions
from archspec.analysis.sizes import Sizes, number
from archspec.analysis.state import StateBytes
from archspec.analysis.tracing import Training
from archspec.dims import poly
from archspec.dims.poly import Size
from archspec.errors import ArchspecError
from archspec.ir.graph import Graph
from archspec.reports.learned import learned
from archspec.reports.question import Question

Setting: TypeAlias = Mapping[str, int]
_FEW = 3  # settings of sizes; for more of them FLOPs are computed in symbols, once


class Total(Struct, frozen=True):
    """A total: what it is called, its unit, whether run-time sizes decide it, how it is computed."""

    label: str
    unit: str
    sized: bool
    of: Callable[[Graph, Setting, Question], Size | None]


def _full(graph: Graph, at: Setting, _: Question) -> Size | None:
    return Flops.of(graph, at).forward.full


def _exact(graph: Graph, at: Setting, _: Question) -> Size | None:
    """Not in symbols where these hold from some length on only."""
    found = Flops.of(graph, at)
    bounded = any(note.startswith(BOUNDED) for note in found.notes)
    return None if bounded else found.forward.exact


def _step(graph: Graph, at: Setting, question: Question) -> Size | None:
    training = Training(checkpoint=question.checkpoint, dropout=question.dropout)
    return Flops.of(graph, at, training=training).step.full


def _optimizer(graph: Graph, _: Setting, question: Question) -> int:
    return training_state(learned(graph), question.optimizer, question.policy.state).total


TOTALS: dict[str, Total] = {
    "params": Total("parameters", "", False, lambda graph, _, __: Parameters.of(graph).total),
    "active": Total("active per token", "", False, lambda graph, _, __: Parameters.of(graph).active),
    "weights": Total(
        "bytes of weights", "B", False, lambda graph, _, question: Parameters.of(graph).bytes(question.dtype)
    ),
    "optimizer": Total("weights, gradients and optimizer", "B", False, _optimizer),
    "state": Total(
        "bytes of state per token", "B", False,
        lambda graph, _, question: StateBytes.of(graph, question.dtype).per_token,
    ),
    "flops": Total("forward FLOPs, full", "FLOP", True, _full),
    "exact_flops": Total("forward FLOPs, exact", "FLOP", True, _exact),
    "training_flops": Total("FLOPs of a training step, full", "FLOP", True, _step),
}  # fmt: skip


def totals(
    graph: Graph, names: Sequence[str], settings: Sequence[Setting], question: Question
) -> list[tuple[int | None, ...] | str]:
    """For each setting of sizes all totals, or what is wrong with the setting.

    Raises ArchspecError A001 where a size is missing.
    """
    columns = [_column(graph, TOTALS[name], settings, question) for name in names]
    sized = any(TOTALS[name].sized for name in names)
    faults = _faults(graph, settings) if sized else [None] * len(settings)
    rows = zip(faults, zip(*columns, strict=True), strict=True)
    return [fault if fault is not None else row for fault, row in rows]


def _column(
    graph: Graph, total: Total, settings: Sequence[Setting], question: Question
) -> Sequence[int | None]:
    if not total.sized:
        return [_number(total, total.of(graph, {}, question))] * len(settings)
    if len(settings) > _FEW:
        found = _by_symbols(graph, total, settings, question)
        if found is not None:
            return found
    return [_at(graph, total, at, question) for at in settings]


def _at(graph: Graph, total: Total, at: Setting, question: Question) -> int | None:
    try:
        return _number(total, total.of(graph, at, question))
    except ArchspecError as error:
        if error.diagnostics[0].code not in ("A002", "A003"):
            raise
        return None  # `_faults` says why


def _by_symbols(
    graph: Graph, total: Total, settings: Sequence[Setting], question: Question
) -> list[int | None] | None:
    """All at once, where the total has a form in symbols that agrees with numbers at both ends."""
    fixed = {name: value for name, value in settings[0].items() if all(s[name] == value for s in settings)}
    try:
        form = total.of(graph, fixed, question)
    except ArchspecError:  # the numbers say why
        return None
    if form is None:
        return None
    found = [_number(total, poly.evaluate(form, at)) for at in settings]
    ends = ((0, settings[0]), (-1, settings[-1]), (len(settings) // 2, settings[len(settings) // 2]))
    return found if all(found[i] == _at(graph, total, at, question) for i, at in ends) else None


def _number(total: Total, size: Size | None) -> int | None:
    return None if size is None else number(size, total.label)


def _faults(graph: Graph, settings: Sequence[Setting]) -> list[str | None]:
    """What is wrong with each setting. Where one is right, so is each that is larger in nothing."""
    found: list[str | None] = [None] * len(settings)
    right = list[Setting]()
    for i in sorted(range(len(settings)), key=lambda i: -prod(settings[i].values())):
        at = settings[i]
        if not any(all(0 < at[name] <= other[name] for name in at) for other in right):
            found[i] = _fault(graph, at)
            right += [at] if found[i] is None else []
    return found


def _fault(graph: Graph, at: Setting) -> str | None:
    try:
        check_positions(graph, Sizes.of(graph, at))
    except ArchspecError as error:
        return f"{error.diagnostics[0].code} {error.diagnostics[0].message}"
    return None
