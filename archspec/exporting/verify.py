"""Whether exported models say what the model says."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.onnx.compare import REASONS, TOLERANCES, differences
from archspec.errors import ArchspecError, Diagnostic
from archspec.exporting.cases import Case
from archspec.exporting.running import Loaded
from archspec.reports.export import Check


def verify(loaded: Loaded, cases: Sequence[Case], dtype: str) -> tuple[Check, ...]:
    """Runs every case. Raises ArchspecError O002 where an output is further off than rounding explains."""
    checks = tuple(_check(loaded, case, TOLERANCES[dtype]) for case in cases)
    wrong = [_wrong(check, dtype) for check in checks if not check.holds]
    if wrong:
        raise ArchspecError(*wrong)
    return checks


def _check(loaded: Loaded, case: Case, tolerance: float) -> Check:
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
