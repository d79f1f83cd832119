"""The verbs that hold costs to limits, set them side by side, and follow them over params; without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from archspec.analysis.sizes import Sizes
from archspec.api import Named, load, lower
from archspec.errors import ArchspecError, Diagnostic, did_you_mean
from archspec.ir.graph import Graph
from archspec.lowering import lower as lowering
from archspec.reports import curves as drawing
from archspec.reports import sweep_tables
from archspec.reports.budget import check_budget
from archspec.reports.candidates import candidates
from archspec.reports.choice import Choice, overall
from archspec.reports.on_device import Place
from archspec.reports.question import Question
from archspec.reports.sweep import Sweep, Swept
from archspec.reports.table import Table
from archspec.spec.spec import Spec


def compare(
    specs: Mapping[str, Named], questions: Sequence[Question], *,
    limits: Mapping[str, float] | None = None, place: Place | None = None, by: str | None = None,
) -> list[Choice]:  # fmt: skip
    """Models side by side under each question, and which is the cheapest within limits.

    `limits` are those of `check_budget`; `by` is the measure that the recommended model is best in: cost,
    latency or FLOPs, where nothing is said. Raises what `lower` raises, A001 and A002 for sizes, D003 and
    E004 for what a device does not say. A model that cannot take a length is excluded.
    """
    graphs = {name: lower(load(spec)) for name, spec in specs.items()}
    return [
        Choice.of(question.sizes, candidates(graphs, question, limits or {}, place), by)
        for question in questions
    ]


def comparison_tables(choices: Sequence[Choice]) -> list[Table]:
    """A comparison for people: figures, verdicts, and what holds over all sizes where there are several."""
    found = [table for choice in choices for table in choice.tables()]
    return [*found, overall(choices)] if len(choices) > 1 else found


MOST_POINTS = 1_000_000


def scale(
    spec: Named, params: Mapping[str, Sequence[object]], sizes: Mapping[str, Sequence[int]] | None = None, *,
    of: Sequence[str] = ("params",), question: Question | None = None,
) -> Swept:  # fmt: skip
    """Totals at every combination of params and sizes: each exact, few of them by lowering their graph.

    `of`: params, active, weights, optimizer, state, flops, exact_flops, training_flops. A combination that
    the spec refuses has the reason in its row. Raises what `lower` raises for the spec itself, S021 for a
    param that there is not, A001 and A002 for sizes, A006 for a total, A007 for too many points.
    """
    loaded = load(spec)
    _check_names(loaded, params)
    given = {name: tuple(dict.fromkeys(values)) for name, values in (sizes or {}).items()}
    Sizes.of(lower(loaded), dict.fromkeys(given, 1))
    swept = {name: tuple(dict.fromkeys(values)) for name, values in params.items()}
    points = math.prod(len(values) for values in (*swept.values(), *given.values()))
    if points > MOST_POINTS:
        hint = f"at most {MOST_POINTS:,} at once"
        raise ArchspecError(Diagnostic("A007", f"the sweep has {points:,} points", None, hint))

    def lowered(overrides: Mapping[str, object]) -> Graph:
        return lowering.lower(load(loaded, overrides=overrides))

    return Sweep(lowered, swept, given, of, question or Question()).run()


def _check_names(spec: Spec, params: Mapping[str, object]) -> None:
    known = spec.section("params").keys()
    for name in params:
        if name not in known:
            hint = did_you_mean(name, known) or f"params: {', '.join(known)}"
            raise ArchspecError(Diagnostic("S021", f"there is no param '{name}'", None, hint))


def scale_tables(swept: Swept, most: int | None = None) -> list[Table]:
    """A sweep as tables: its points (at most so many), and how they were computed."""
    return list(sweep_tables.sweep_tables(swept, most))


def curves(swept: Swept, *, svg: bool = False) -> str:
    """The totals of a sweep over its longest axis: as lines of text, or as a standalone SVG.

    Axes are logarithmic. At most eight curves of a total are drawn.
    """
    return drawing.svg(swept) if svg else drawing.text(swept)


__all__ = ["check_budget", "compare", "comparison_tables", "curves", "scale", "scale_tables"]
