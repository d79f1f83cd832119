"""Whether a sequence fits the tables that it is looked up in."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.analysis.sizes import Sizes
from archspec.dims import poly
from archspec.dims.poly import Size
from archspec.errors import ArchspecError, Collector
from archspec.ir.graph import Apply, Call, Graph, Node, Region, Repeat
from archspec.ir.ops.elementwise import Arith, Scalar
from archspec.ir.ops.reduce import Cumulate
from archspec.ir.ops.shape import Expand, Gather, Permute, Reshape, Slice
from archspec.ir.ops.source import Cast, Iota

Tops = dict[str, Size]


def check_positions(graph: Graph, sizes: Sizes) -> None:
    """Raises ArchspecError A003 where places reach beyond a table that they are looked up in.

    Places are followed from where they are counted: `arange`, or a running sum of a mask.
    """
    found = Collector()
    defaults = _tops(graph.defaults, {}, sizes) if graph.defaults else {}
    given = {value.name: defaults[value.name] for value in graph.inputs if value.name in defaults}
    for table, rows, top in _lookups(graph.root, given, sizes, ""):
        if isinstance(top, int) and isinstance(rows, int) and top >= rows:
            message = f"place {top} is beyond the {rows} rows of '{table}'"
            found.add("A003", message, None, "take a shorter sequence, or a longer table")
    found.raise_if_any(ArchspecError)


def _lookups(region: Region, given: Tops, sizes: Sizes, path: str) -> Iterator[tuple[str, Size, Size]]:
    """Tables with learned or kept rows, with their lengths and the largest place that is looked up."""
    tops = _tops(region, given, sizes)
    tables = {param.name for param in region.params}
    for node in region.nodes:
        if isinstance(node, Apply) and isinstance(node.op, Gather) and node.op.axis == 0:
            table, index = node.inputs[:2]
            if table and index and table.name in tables and index.name in tops:
                yield f"{path}{table.name}", sizes.size(table.type.shape[0]), tops[index.name]
        elif isinstance(node, Call | Repeat):
            name = node.region.name if isinstance(node, Call) else f"{node.name}.*"
            for inner in node.regions:
                pairs = zip(inner.inputs, node.inputs, strict=True)
                below = {own.name: tops[v.name] for own, v in pairs if v.name in tops}
                yield from _lookups(inner, below, sizes, f"{path}{name}.")


def _tops(region: Region, given: Tops, sizes: Sizes) -> Tops:
    """The largest number in each value of a region that holds places."""
    tops, masks = dict(given), set[str]()
    for node in region.nodes:
        masks |= _masks(node)
        top = _top(node, tops, masks, sizes) if isinstance(node, Apply) else None
        if top is not None:
            tops[node.outputs[0].name] = top
    return tops


def _masks(node: Node) -> set[str]:
    """Values of 0 and 1: what is cast from booleans, and what is counted up."""
    first = node.inputs[0] if isinstance(node, Apply) and node.inputs else None
    if not isinstance(node, Apply) or first is None:
        return set()
    if isinstance(node.op, Cumulate):
        return {first.name}
    return (
        {v.name for v in node.outputs} if isinstance(node.op, Cast) and first.type.dtype == "bool" else set()
    )


def _top(node: Apply, tops: Tops, masks: set[str], sizes: Sizes) -> Size | None:
    first = node.inputs[0] if node.inputs else None
    known = tops.get(first.name) if first else None
    match node.op:
        case Iota(size=size, start=start):
            return poly.add(sizes.size(size + start), -1)
        case Cumulate(fn="sum", axis=axis) if first:
            return sizes.size(first.type.shape[axis])
        case Scalar(fn="add", value=value) if known is not None and isinstance(value.value, int):
            return poly.add(known, value.value)
        case Scalar(fn="sub", value=value, flip=False) if known is not None and isinstance(value.value, int):
            return poly.add(known, -value.value)
        case Reshape() | Expand() | Permute() | Slice() | Cast():
            return known
        case Arith(fn="mul") if all(v and (v.name in tops or v.name in masks) for v in node.inputs[1:]):
            return known  # where a mask lets it be
        case _:
            return None
