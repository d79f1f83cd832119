"""Whether a model can be decoded piece by piece: no operation mixes places of what streams."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.dims import poly
from archspec.dims.num import Num
from archspec.errors import Collector, Span
from archspec.ir.graph import Apply, Call, Graph, Region
from archspec.ir.op import mixed
from archspec.ir.ops.state import Recall

_HINT = "'scan', 'recur', 'cumsum' and 'shift' go on along a stream; or take 'stream' out of the spec"


def check(graph: Graph, found: Collector) -> None:
    """Adds L020 at each step that would need, while decoding, elements that were there before.

    The losses are no part of decoding.
    """
    if graph.stream is not None:
        for message, span in dict.fromkeys(_mixing(graph.root, graph.stream)):
            found.add("L020", message, span, _HINT)


def _mixing(region: Region, stream: str) -> Iterator[tuple[str, Span | None]]:
    recalled = {o.name for node in region.nodes for o in node.outputs if _recalls(node)}
    for node in region.nodes:
        if isinstance(node, Call) and node.along and _grows(node.runs, stream):
            for name in _whole(node.region, stream):
                yield f"'{stream}' streams, but each step along it is given all of '{name}'", node.span
        if isinstance(node, Apply) and not any(v is not None and v.name in recalled for v in node.inputs):
            given = [v and v.type for v in node.inputs]
            if any(_grows(x.shape[axis], stream) for x, axis in mixed(node.op, given)):
                yield f"'{stream}' streams, but '{node.op.name}' mixes elements along it", node.span
        for inner in node.regions:
            yield from _mixing(inner, stream)


def _whole(region: Region, stream: str) -> Iterator[str]:
    """The inputs that hold several places of what streams, or all."""
    for value in region.inputs:
        if any(_depends(size, stream) for size in value.type.shape):
            yield value.name


def _recalls(node: object) -> bool:
    return isinstance(node, Apply) and isinstance(node.op, Recall)


def _grows(size: Num, stream: str) -> bool:
    """Whether an axis holds what streams, be it several for each element, and nothing of before."""
    if not isinstance(size.size, poly.Poly) or len(size.size.terms) != 1:
        return False
    return _depends(size, stream) and not _depends(size, "past")


def _depends(size: Num, name: str) -> bool:
    return isinstance(size.size, poly.Poly) and name in poly.symbols(size.size)
