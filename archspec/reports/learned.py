"""The parameters of a graph as an optimizer sees them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from archspec.analysis.optimizer import Parameter
from archspec.analysis.widths import width
from archspec.ir.graph import Apply, Call, Graph, Region, Repeat
from archspec.ir.ops.shape import Gather


def learned(graph: Graph) -> list[Parameter]:
    """Each tensor once, tied aliases left out; equal layers as copies of one.

    A table that rows are looked up in counts as an embedding, and so does a matrix of the outermost module
    that gives the last output: optimizers of matrices leave both to another.
    """
    aliases = {alias for alias, _ in graph.ties}
    head = {node.region.name for node in graph.root.nodes[-1:] if isinstance(node, Call)}
    found = list(_learned(graph.root, "", 1, aliases))
    return [p if p.name.split(".")[0] not in head else _as_embedding(p) for p in found]


def matrices(parameters: list[Parameter]) -> list[str]:
    """The last words of the names of matrices: what adapters may be asked for."""
    names = (p.name.removesuffix(".weight").split(".")[-1] for p in parameters if len(p.shape) == 2)
    return list(dict.fromkeys(names))


def _as_embedding(p: Parameter) -> Parameter:
    return replace(p, embedding=True)


def _learned(region: Region, path: str, copies: int, aliases: set[str]) -> Iterator[Parameter]:
    tables = _tables(region)
    for param in region.params:
        name, type_ = f"{path}{param.name}", param.value.type
        if name not in aliases:
            own = None if type_.dtype == "float" else width(type_.dtype, "float32")
            shape = tuple(int(size) for size in type_.shape)
            table = param.name in tables
            yield Parameter(name, shape, param.trainable, table, own, copies, table)
    for node in region.nodes:
        if isinstance(node, Call) and not node.shared:
            yield from _learned(node.region, f"{path}{node.region.name}.", copies, aliases)
        elif isinstance(node, Repeat):
            for index, variant in enumerate(node.variants):
                times = 1 if node.shared else node.schedule.count(index)
                yield from _learned(variant, f"{path}{node.name}.*.", copies * times, aliases)


def _tables(region: Region) -> set[str]:
    applied = (node for node in region.nodes if isinstance(node, Apply))
    found = (n.inputs[0] for n in applied if isinstance(n.op, Gather) and n.op.axis == 0)
    return {value.name for value in found if value is not None}
