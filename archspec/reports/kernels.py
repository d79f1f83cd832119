"""What was decided about generated kernels, and why: which tiles they visit, and what that saves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from archspec.analysis.pairs import pairs
from archspec.analysis.sizes import Sizes
from archspec.backends.torch.kernels.describe import Described, describe
from archspec.backends.torch.kernels.module import KernelFile, kernel_file
from archspec.backends.torch.kernels.runs import Run, Runs, group
from archspec.dims.expr import write
from archspec.ir.graph import Apply, Graph, walk
from archspec.ir.ops.attention import Attention
from archspec.ir.tiles import concrete
from archspec.reports.table import Row, Table

TILE = (128, 64)
"""Queries and keys of a tile, for what is counted."""


class Site(Struct, frozen=True):
    """An attention of the graph, how often it runs, and what its kernels are handed."""

    path: str
    runs: int
    node: Apply
    op: Attention
    described: Described


class Structure(Struct, frozen=True):
    """A file of kernels and the attentions that it computes."""

    file: KernelFile
    sites: tuple[Site, ...]


def structures(graph: Graph) -> tuple[Structure, ...]:
    """The files that a graph's attentions need, in the order in which they are met."""
    found: dict[str, list[Site]] = {}
    files: dict[str, KernelFile] = {}
    for site in _sites(graph):
        file = kernel_file(site.described.description)
        files[file.name] = file
        found.setdefault(file.name, []).append(site)
    return tuple(Structure(files[name], tuple(sites)) for name, sites in found.items())


def _sites(graph: Graph) -> Iterator[Site]:
    for path, region, runs in walk(graph.root):
        for node in region.nodes:
            if isinstance(node, Apply) and isinstance(node.op, Attention):
                yield Site(path or "model", runs, node, node.op, describe(node.op, node.inputs))


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
    return Table(f"{structure.file.name}.py", tuple(rows), notes=given.plan.notes)


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
    found = None if sizes is None else _lengths(site, sizes)
    if found is None:
        return
    lengths, numbers = found
    visited = _visited(site, lengths, numbers)
    every = -(-lengths.Q // lengths.M) * -(-lengths.K // lengths.N)
    certain = visited["tested"] + visited["whole"]
    text = f"{certain:,} of {every:,}, {visited['whole']:,} of them whole"
    text += f", and {visited['picked']:,} where data picks" if visited["picked"] else ""
    yield Row(f"tiles at {lengths.Q:,} × {lengths.K:,}", (text,))
    counted = pairs(site.op, lengths.Q, lengths.K, lengths.start)
    if counted.count:
        least, each = certain * lengths.M * lengths.N, lengths.M * lengths.N
        most = f" to {least + visited['picked'] * each:,}" if visited["picked"] else ""
        text = f"{least:,}{most}; {counted.count:,} count"
        yield Row("pairs in them", (text,), note="; ".join(counted.notes))


def _visited(site: Site, lengths: concrete.Sizes, numbers: Mapping[str, int]) -> Counter[str]:
    """Tiles of each group."""
    plan, out = site.described.description.plan, Counter[str]()
    for row in concrete.tiles(plan, plan.queries, lengths, numbers):
        for run in row:
            out[group(plan, run.segment)] += run.end - run.begin
    return out


def _lengths(site: Site, sizes: Sizes) -> tuple[concrete.Sizes, Mapping[str, int]] | None:
    """The lengths and the rule's numbers; None where one is a symbol, or differs between heads."""
    q, k = site.node.inputs[:2]
    assert q is not None, "attention without queries"
    assert k is not None, "attention without keys"
    queries, keys, start = (sizes.size(x) for x in (q.type.shape[2], k.type.shape[2], site.op.start))
    if not (isinstance(queries, int) and isinstance(keys, int) and isinstance(start, int)):
        return None
    numbers = _numbers(site, sizes)
    return None if numbers is None else (concrete.Sizes(*TILE, queries, keys, start), numbers)


def _numbers(site: Site, sizes: Sizes) -> Mapping[str, int] | None:
    given = site.described.description
    found = {word: sizes.size(n) for (word, _), n in zip(given.numbers, site.described.numbers, strict=True)}
    whole = {word: value for word, value in found.items() if isinstance(value, int)}
    by_head = any("[h]" in write(expr) for _, expr in given.plan.queries.lets)
    return None if len(whole) < len(found) or by_head else whole
