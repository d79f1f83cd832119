"""Two towers, one of text and one of images, each as a model of its own beside the whole."""

from __future__ import annotations

from archspec.backends.onnx.modes import may_be_left_out, modes_of
from archspec.ir.graph import Graph
from archspec.lowering import graphs
from archspec.spec.spec import Spec

TEXT, VISION, WHOLE = "text_model.onnx", "vision_model.onnx", "model.onnx"
"""Names that transformers.js knows."""


def towers_of(spec: Spec, graph: Graph) -> dict[str, Graph]:
    """The whole and its towers by the names of their files; nothing where a spec is not made of two towers.

    They are the `graphs` of a spec that take token ids alone, and pixels alone, without state.
    """
    if spec.graph is not None or len(modes_of(graph)) > 1:
        return {}
    parts = [graphs.part(spec, graph, name) for name in graphs.names(spec)]
    found = {name: part for part in parts if (name := _tower(part)) is not None}
    return {WHOLE: graph, **found} if found.keys() == {TEXT, VISION} else {}


def _tower(part: Graph) -> str | None:
    free = may_be_left_out(part)
    types = [value.type for value in part.inputs if value.name not in free]
    if len(types) != 1:
        return None
    if types[0].rank == 2 and types[0].dtype == "int64":
        return TEXT
    return VISION if types[0].rank == 4 and types[0].dtype == "float" else None
