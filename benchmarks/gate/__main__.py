"""`python -m benchmarks.gate` compiles generated kernels for devices that are not there.

Exit status 1 where a configuration that the kernels' table chooses does not compile, has no matrix
instructions, takes more shared memory than there is, or touches local memory inside its loops.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gate.jobs import TARGETS, Job, chosen, jobs, written
from benchmarks.gate.structures import STRUCTURES
from benchmarks.gate.verdicts import HEADER, faults, line, summary
from benchmarks.gate.workers import findings

# A half of a minute: one kernel of each direction, for the tiles with most to hold.
FAST = [("window", "sm_90"), ("global", "sm_90"), ("alibi", "sm_80")]
MAIN = ("sm_80", "sm_90", "sm_100", "gfx942")
FAST_KERNELS = ("forward", "backward_keys")


def main() -> int:
    """The exit status."""
    given = _parser().parse_args()
    cache = Path(given.cache) if given.cache else None
    rows = compiled(_wanted(given), given.python, given.workers, cache)
    print(summary(rows))
    if given.json:
        Path(given.json).write_text(json.dumps([{**job._asdict(), **found} for job, found in rows], indent=1))
    return int(any(faults(job, found) for job, found in rows if job.chosen))


def _wanted(given: argparse.Namespace) -> list[Job]:
    if given.fast:
        found = [job for structure, target in FAST for job in chosen(structure, target, 128)]
        return [job for job in found if job.kernel in FAST_KERNELS]
    sets = (given.structure or [*STRUCTURES], given.target or MAIN, given.width or [64, 128])
    found = jobs(*sets, given.candidates)
    return [job for job in found if not given.kernel or job.kernel in given.kernel]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="six kernels: what continuous integration asks")
    parser.add_argument("--candidates", action="store_true", help="also configurations that are not chosen")
    parser.add_argument("--structure", action="append", choices=[*STRUCTURES])
    parser.add_argument("--target", action="append", choices=[*TARGETS])
    parser.add_argument("--kernel", action="append")
    parser.add_argument("--width", action="append", type=int, help="features of a head")
    parser.add_argument("--python", default=sys.executable, help="of the environment whose Triton is asked")
    parser.add_argument("--workers", type=int, default=2, help="processes that compile")
    parser.add_argument("--cache", help="a folder for what Triton compiled (none: a new one each time)")
    parser.add_argument("--json", help="a file for all findings")
    return parser


def compiled(
    wanted: Sequence[Job], python: str, workers: int, cache: Path | None
) -> list[tuple[Job, dict[str, Any]]]:
    """Each job with what it came to; prints the table."""
    named = {job.name: job for job in wanted}
    print(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        texts = [written(job, Path(folder)) for job in named.values()]
        found = findings(
            texts,
            python,
            workers,
            cache or Path(folder),
            lambda x: print(line(named[x["name"]], x), flush=True),
        )
    return [(named[x["name"]], x) for x in found]


if __name__ == "__main__":
    sys.exit(main())
