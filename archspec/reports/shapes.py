"""The shapes and dtypes of a model's inputs at given sizes."""

from __future__ import annotations

from archspec.analysis.sizes import Sizes, number
from archspec.ir.graph import Graph, Value

Shaped = tuple[tuple[int, ...], str]


def shapes(graph: Graph, sizes: Sizes, dtype: str, *, loss: str | None = None) -> dict[str, Shaped]:
    """What a caller has to give for a forward pass, or for a `loss`: inputs that may be absent are left out.

    Raises ArchspecError A001 for a size that is not known.
    """
    made = {value.name for value in graph.defaults.outputs} if graph.defaults else set[str]()
    fed = _fed(graph, loss)
    asked, made = _asked(graph, loss) - fed, made | fed
    needed = [v for v in graph.inputs if v.name in asked or not (v.optional or v.name in made)]
    return {v.name: _shaped(v, sizes, dtype) for v in needed if loss or v.name in _read(graph)}


def _asked(graph: Graph, loss: str | None) -> set[str]:
    """What the loss reads."""
    return {name for one in graph.losses if one.name == loss for name in one.reads}


def _fed(graph: Graph, loss: str | None) -> set[str]:
    """Inputs that the loss makes itself, of others."""
    return {v.name for one in graph.losses if one.name == loss and one.feed for v in one.feed.outputs}


def _read(graph: Graph) -> set[str]:
    """Inputs that the model itself reads, or is measured by."""
    root = graph.root
    inside = {v.name for node in root.nodes for v in node.inputs if v is not None}
    inside |= {v.name for v in root.outputs}
    inside |= {v.name for v in graph.defaults.inputs} if graph.defaults else set()
    by_losses = {name for one in graph.losses for name in one.reads}
    return inside | {v.name for v in graph.inputs if v.name not in by_losses}


def _shaped(value: Value, sizes: Sizes, dtype: str) -> Shaped:
    size = tuple(number(sizes.size(d), f"the shape of '{value.name}'") for d in value.type.shape)
    return size, dtype if value.type.dtype == "float" else value.type.dtype
