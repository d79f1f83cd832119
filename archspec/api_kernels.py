"""The verbs about generated kernels. None of them needs torch or a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from archspec.analysis.sizes import Sizes
from archspec.api import Named, kernels, load, lower
from archspec.atomic import new_directory
from archspec.reports.kernels import kernel_tables as tables
from archspec.reports.kernels import structures
from archspec.reports.table import Table


def kernel_tables(spec: Named, sizes: Mapping[str, int] | None = None) -> list[Table]:
    """What was decided about each file of `kernels`: which tiles it visits, and why; with sizes how many.

    Raises what `lower` raises, and ArchspecError A002 for sizes that do not fit.
    """
    graph = lower(load(spec))
    return tables(structures(graph), Sizes.of(graph, sizes) if sizes else None)


def write_kernels(spec: Named, out: Path) -> tuple[Path, ...]:
    """Writes the files of `kernels` to a new folder, all or none; gives their paths.

    Raises ArchspecError F001 where `out` cannot be written.
    """
    texts = kernels(spec)
    with new_directory(out) as scratch:
        for name, text in texts.items():
            (scratch / name).write_text(text, encoding="utf-8")
    return tuple(out / name for name in texts)
