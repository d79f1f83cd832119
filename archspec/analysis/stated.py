"""Facts that a spec states of itself under `expect`, compared with its graph.

A fact is a number that must be exact, or a mapping: `value` (exact) or `max` (a budget) with the run-time
sizes that it holds at, as in `flops: {B: 1, S: 1024, max: 300000000000}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from archspec.errors import ArchspecError, Collector
from archspec.ir.graph import Graph, parameter_count
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Node, Scalar

BOUNDS = ("value", "max")


class Kind(Struct, frozen=True):
    """A kind of fact: what its number counts, whether sizes decide it, and how it is counted."""

    counts: str
    sized: bool
    count: Callable[[Graph, dict[str, int]], int]


def _active(graph: Graph, _: dict[str, int]) -> int:
    from archspec.analysis.parameters import Parameters  # lazy: few specs state it, and `check` is quick

    return Parameters.of(graph).active


def _flops(graph: Graph, sizes: dict[str, int]) -> int:
    from archspec.analysis.flops import Flops  # lazy: the same
    from archspec.analysis.sizes import number  # lazy: the same

    return number(Flops.of(graph, sizes).forward.full, "the number of FLOPs")


KINDS = {
    "params": Kind("parameters", False, lambda graph, _: parameter_count(graph)),
    "active": Kind("parameters active per token", False, _active),
    "flops": Kind("FLOPs", True, _flops),
}


def prove(facts: Table | None, graph: Graph, what: str, found: Collector) -> dict[str, int]:
    """The stated facts by name, with their true numbers.

    Adds to `found`, at the place of the fact: E001 it does not hold, E002 it says nothing, A001 to A003 for
    its sizes.
    """
    stated = ((name, facts.get(name)) for name in KINDS) if facts else ()
    proven = ((name, _proven(KINDS[name], node, graph, what, found)) for name, node in stated if node)
    return {name: count for name, count in proven if count is not None}


def _proven(kind: Kind, node: Node, graph: Graph, what: str, found: Collector) -> int | None:
    bounds = dict(_bounds(node))
    sizes = dict(_sizes(node))
    if not bounds or (sizes and not kind.sized):
        _says_nothing(kind, node, sizes, found)
        return None
    try:
        count = kind.count(graph, sizes)
    except ArchspecError as error:
        for each in error.diagnostics:
            found.add(each.code, f"{what}: {each.message}", node.span, each.hint)
        return None
    for name, bound in bounds.items():
        _compare(name, bound, count, f"{what} has {count:,} {kind.counts}", found)
    return count


def _compare(name: str, bound: Scalar, count: int, text: str, found: Collector) -> None:
    limit = bound.value
    if not isinstance(limit, int):
        return  # the outline of the document says so
    if name == "max" and count > limit:
        message = f"{text}, {count - limit:,} more than {limit:,}"
        found.add("E001", message, bound.span, "make the model smaller, or raise the limit")
    elif name == "value" and count != limit:
        found.add("E001", f"{text}, not {limit:,}", bound.span, f"if the model is right, write {count}")


def _says_nothing(kind: Kind, node: Node, sizes: dict[str, int], found: Collector) -> None:
    if sizes and not kind.sized:
        message, hint = f"{', '.join(sizes)}: no size decides this fact", "leave the sizes out"
    else:
        message, hint = "this fact states no number", "write 'value:' for an exact one, 'max:' for a limit"
    found.add("E002", message, node.span, hint)


def _bounds(node: Node) -> Iterator[tuple[str, Scalar]]:
    """The numbers to compare with; a bare number is a `value`."""
    if isinstance(node, Scalar):
        yield "value", node
    for key, value in node.entries if isinstance(node, Table) else ():
        if key.value in BOUNDS and isinstance(value, Scalar):
            yield str(key.value), value


def _sizes(node: Node) -> Iterator[tuple[str, int]]:
    for key, value in node.entries if isinstance(node, Table) else ():
        if key.value not in BOUNDS and isinstance(value, Scalar) and isinstance(value.value, int):
            yield str(key.value), value.value
