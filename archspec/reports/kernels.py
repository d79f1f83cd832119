"""What was decided about generated kernels, and why: which tiles they visit, and what that saves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, structs

from archspec.analysis.pairs import pairs
from archspec.analysis.sizes import Sizes
from archspec.backends.torch.kernels.module import KernelFile, kernel_file
from archspec.backends.torch.kernels.runs import Run, Runs
from archspec.dims.expr import write
from archspec.ir.graph import Graph
from archspec.ir.tiles import concrete
from archspec.reports.in_tiles import At, Site, placed, sites, visited
from archspec.reports.table import Row, Table

PICTURE = "picture"
LEGEND = "picture: # each pair counts, = but for what data says, + some do, ? where data picks, . none does"


class Structure(Struct, frozen=True):
    """A file of kernels and the attentions that it computes."""

    file: KernelFile
    sites: tuple[Site, ...]


def structures(graph: Graph) -> tuple[Structure, ...]:
    """The files that a graph's attentions need, in the order in which they are met."""
    found: dict[str, list[Site]] = {}
    files: dict[str, KernelFile] = {}
    for site in sites(graph):
        file = kernel_file(site.described.description)
        files[file.name] = file
        found.setdefault(file.name, []).append(site)
    return tuple(Structure(files[name], tuple(sites)) for name, sites in found.items())


def kernel_tables(found: Sequence[Structure], sizes: Sizes | None = None) -> list[Table]:
    """A table for each file; with sizes also how many tiles are visited, of 128 queries by 64 keys."""
    return [_table(each, sizes) for each in found]


def _table(structure: Structure, sizes: Sizes | None) -> Table:
    given = structure.sites[0].described.description
    paths = [f"{site.path} × {site.runs}" if site.runs > 1 else site.path for site in structure.sites]
    rows = [
        Row("attention of", (", ".join(paths),)),
        Row("counts where", (write(given.plan.rule),)),
        *([Row("score", (write(given.score),))] if given.score is not None else []),
        Row(
            "reads", (", ".join((*(t.word for t in given.tensors), *dict(given.numbers))) or "nothing else",)
        ),
        *(Row(f"of {what}", (text,)) for what, text in _further(structure)),
        *_walk("keys", Runs.of(given.plan, given.plan.queries)),
        *_walk("queries", Runs.of(given.plan, given.plan.keys)),
        *(row for site in structure.sites for row in _counted(site, sizes)),
    ]
    drawn = (LEGEND,) if any(row.label == PICTURE for row in rows) else ()
    return Table(f"{structure.file.name}.py", tuple(rows), notes=(*given.plan.notes, *drawn))


def _further(structure: Structure) -> Iterator[tuple[str, str]]:
    given = structure.sites[0].described.description
    if given.capped:
        yield "scores", "capped"
    if given.sunk:
        yield "heads", "each has a sink"
    if given.dropped:
        yield "weights", "some are left out in training"


def _walk(what: str, runs: Runs) -> Iterator[Row]:
    """The runs of tiles, and what their ends are."""
    yield from (Row(f"tiles of {what}" if i == 0 else "", (_shown(x),)) for i, x in enumerate(runs.runs))
    yield from (Row(f"  {word}", (write(expr),)) for word, expr in runs.lets)


def _shown(run: Run) -> str:
    how = {"tested": "pair by pair", "whole": "whole", "picked": "where data picks", "all": ""}[run.group]
    return f"[{run.begin}, {run.end}) {how}"


def _counted(site: Site, sizes: Sizes | None) -> Iterator[Row]:
    """Tiles that are visited, and pairs in them beside those that count."""
    at = None if sizes is None else placed(site, sizes)
    if at is None:
        return
    lengths, found = at.lengths, visited(site, at)
    every = -(-lengths.Q // lengths.M) * -(-lengths.K // lengths.N)
    certain = found["tested"] + found["whole"]
    text = f"{certain:,} of {every:,}, {found['whole']:,} of them whole"
    text += f", and {found['picked']:,} where data picks" if found["picked"] else ""
    yield Row(f"tiles at {lengths.Q:,} × {lengths.K:,}", (text,))
    counted = pairs(site.op, lengths.Q, lengths.K, lengths.start)
    if counted.count:
        least, each = certain * lengths.M * lengths.N, lengths.M * lengths.N
        most = f" to {least + found['picked'] * each:,}" if found["picked"] else ""
        text = f"{least:,}{most}; {counted.count:,} count"
        yield Row("pairs in them", (text,), note="; ".join(counted.notes))
    yield from _picture(site, at)


def _picture(site: Site, at: At) -> Iterator[Row]:
    """What queries, from the first to the last, see of the keys: at most 16 lines of 32 places."""
    q, k = (-(-length // count) for length, count in ((at.lengths.Q, 16), (at.lengths.K, 32)))
    sizes = structs.replace(at.lengths, M=q, N=k)
    lines = concrete.picture(site.described.description.plan, sizes, at.numbers).splitlines()
    yield from (Row("" if i else PICTURE, (line,)) for i, line in enumerate(lines))
