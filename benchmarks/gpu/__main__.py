"""`python -m benchmarks.gpu` measures generated kernels on a GPU in under ten minutes.

prepare DIR         writes what is measured, with archspec, for a machine that has none (below 10 MiB)
run DIR -o OUT      measures it, with torch and triton alone; OUT: a folder, or a file that ends in .json
show FILE           prints the tables of a run, its goals, and rows for the kernels' table
page                writes the newest results into docs/kernels.md
(nothing)           prepare and run; results go to benchmarks/results, those of rehearsals nowhere
--dry               a rehearsal on a CPU, in Triton's interpreter: a few cases, tiny sizes
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.gpu.budget import PHASES

RESULTS = Path(__file__).parents[1] / "results"


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_intermixed_args(arguments)
    if given.verb == "prepare":
        _prepare(Path(given.path), given)
    elif given.verb == "run":
        _run(Path(given.path), Path(given.out or "."), given)
    elif given.verb in ("show", "page"):
        _tell(given)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _prepare(Path(folder), given)
            _run(Path(folder), Path(given.out or (folder if given.dry else RESULTS)), given)
    return 0


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=shape
    )
    parser.add_argument("verb", nargs="?", choices=["prepare", "run", "show", "page"])
    parser.add_argument("path", nargs="?", help="a prepared folder, or a file of results")
    parser.add_argument("-o", "--out", help="where results go")
    parser.add_argument("--phase", action="append", choices=PHASES, help="only this phase")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this case or model")
    parser.add_argument("--budget", type=float, default=540.0, metavar="SECONDS", help="for all phases")
    parser.add_argument("--dry", action="store_true", help="a rehearsal on a CPU")
    return parser


def _prepare(folder: Path, given: argparse.Namespace) -> None:
    from benchmarks.gpu.prepare import prepare  # lazy: only this stage has archspec

    prepare(folder, given.dry, given.only)


def _run(folder: Path, out: Path, given: argparse.Namespace) -> None:
    from benchmarks.gpu.run import Session  # lazy: pages are made without torch
    from benchmarks.gpu.show import report  # lazy: as above

    record = Session(folder, out, given.phase or PHASES, given.budget, given.only, given.dry).run()
    print(report(record.about, record.items))
    print(record.path)


def _tell(given: argparse.Namespace) -> None:
    from benchmarks.gpu.page import write  # lazy: as above
    from benchmarks.gpu.record import read  # lazy: as above
    from benchmarks.gpu.show import report  # lazy: as above

    if given.verb == "page":
        write()
    else:
        print(report(*read(Path(given.path))))


if __name__ == "__main__":
    sys.exit(main())
