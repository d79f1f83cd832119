"""Whether exported models say what the model says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from archspec.backends.onnx.compare import REASONS, TOLERANCES, differences
from archspec.errors import ArchspecError, Diagnostic
from archspec.exporting.cases import Array, Case
from archspec.reports.export import Check


class Runs(Protocol):
    """Models that are loaded."""

    def run(self, case: Case) -> Mapping[str, Array]:
        """The outputs of the graph, by their names there."""
        ...


def verify(loaded: Runs, cases: Sequence[Case], dtype: str) -> tuple[Check, ...]:
    """Runs every case. Raises ArchspecError O002 where an output is further off than rounding explains."""
    checks = tuple(_check(loaded, case, TOLERANCES[dtype]) for case in cases)
    wrong = [_wrong(check, dtype) for check in checks if not check.holds]
    if wrong:
        raise ArchspecError(*wrong)
    return checks


def _check(loaded: Runs, case: Case, tolerance: float) -> Check:
    found = differences(loaded.run(case), case.outputs, tolerance)
    if not found:
        message = "the exported model gives none of the outputs that there are to compare"
        raise ArchspecError(Diagnostic("O002", message))
    return Check(case.sizes, found)


def _wrong(check: Check, dtype: str) -> Diagnostic:
    worst = check.worst
    where = " ".join(f"{name}={size}" for name, size in check.sizes.items())
    message = (
        f"'{worst.output}' is {worst.found:.3g} off{f' at {where}' if where else ''}, where "
        f"{worst.allowed:.3g} is allowed ({REASONS[dtype]}); the largest number is {worst.largest:.3g}"
    )
    return Diagnostic("O002", message, None, "please report the spec; --no-verify writes the files anyway")
