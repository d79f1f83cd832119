"""A part of a model that stands alone: some of its outputs, and what they need."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from archspec.dims import num as n
from archspec.ir.graph import Apply, Call, Graph, Loss, Node, Region, parameters


def cut(graph: Graph, name: str, outputs: Collection[str]) -> Graph:
    """The graph called `name` that gives only these outputs.

    Modules, inputs, losses, ties and sizes that they do not need are gone; paths of parameters stay.
    """
    kept = tuple((key, value) for key, value in graph.outputs if key in outputs)
    root = _needed(replace(graph.root, outputs=tuple(value for _, value in kept)))
    read = {v.name for node in root.nodes for v in node.inputs if v is not None}
    read |= {v.name for v in root.outputs}
    defaults = _only(graph.defaults, read)
    given = read | ({v.name for v in defaults.inputs} if defaults else set[str]())
    root = replace(
        root,
        inputs=tuple(v for v in graph.inputs if v.name in given),
        params=tuple(p for p in root.params if p.name in read),
    )
    names = {v.name for v in graph.inputs} | {key for key, _ in kept}
    losses = tuple(loss for loss in graph.losses if _fits(loss, {key for key, _ in kept}, graph, names))
    given = given.union(*(loss.reads for loss in losses))
    root = replace(root, inputs=tuple(v for v in graph.inputs if v.name in given))
    dims = tuple(
        d for d in graph.dims if any(d in n.reads(size) for v in root.inputs for size in v.type.shape)
    )
    stream = graph.stream if graph.stream in dims else None
    alone = Graph(name, graph.summary, graph.source, dims, stream, root, defaults, kept, losses, ())
    return replace(alone, ties=_ties(graph, {path for path, _ in parameters(alone)}))


def _needed(region: Region) -> Region:
    """The region with only the nodes that its outputs need; modules in it are kept or dropped as wholes.

    Where the first run of a module is dropped, the next one owns its parameters.
    """
    live = {v.name for v in region.outputs}
    kept: list[Node] = []
    for node in reversed(region.nodes):
        if any(v.name in live for v in node.outputs):
            live |= {v.name for v in node.inputs if v is not None}
            kept.append(node)
    owned = set[str]()
    nodes = tuple(_owning(node, owned) for node in reversed(kept))
    return replace(region, nodes=nodes)


def _owning(node: Node, owned: set[str]) -> Node:
    if isinstance(node, Apply):
        return node
    name = node.region.name if isinstance(node, Call) else node.name
    first = name not in owned
    owned.add(name)
    return replace(node, shared=False) if first and isinstance(node, Call) and node.shared else node


def _only(region: Region | None, names: Collection[str]) -> Region | None:
    """What computes defaults, for these inputs alone."""
    if region is None:
        return None
    outputs = tuple(v for v in region.outputs if v.name in names)
    inner = _needed(replace(region, outputs=outputs))
    read = {v.name for node in inner.nodes for v in node.inputs if v is not None}
    return replace(inner, inputs=tuple(v for v in inner.inputs if v.name in read)) if outputs else None


def _fits(loss: Loss, kept: Collection[str], graph: Graph, names: Collection[str]) -> bool:
    """Whether a loss reads at least one output, and none that is gone."""
    results = {v.name for v in loss.region.inputs} & {key for key, _ in graph.outputs}
    return bool(results) and results <= set(kept) and {v.name for v in loss.region.inputs} <= set(names)


def _ties(graph: Graph, paths: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The ties both of whose ends are left; where only the alias is, it is stored itself."""
    return tuple((alias, owner) for alias, owner in graph.ties if alias in paths and owner in paths)
