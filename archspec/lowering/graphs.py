"""`graphs`: parts of a model that can be built alone, each told by its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.errors import Diagnostic, LoweringError, did_you_mean
from archspec.ir.cut import cut
from archspec.ir.graph import Graph
from archspec.spec.names import short
from archspec.spec.node import Scalar, Sequence
from archspec.spec.spec import Spec

if TYPE_CHECKING:
    from archspec.lowering.lower import Lowering


def check(low: Lowering) -> None:
    """Adds S022 where the part that is meant is none, L060 where a part names no output of the model."""
    section, known = low.spec.section("graphs"), low.spec.section("outputs").keys()
    for key, listed in section.entries:
        items = listed.items if isinstance(listed, Sequence) else ()
        for item in items:
            if isinstance(item, Scalar) and item.value not in known:
                text, hint = str(item.value), f"outputs: {', '.join(known)}"
                message = f"the model has no output '{short(text)}'"
                low.found.add("L060", message, item.span, did_you_mean(text, known) or hint)
        if isinstance(listed, Sequence) and not items:
            low.found.add("L060", "a part of a model has at least one output", key.span, "name one")
    name, names = low.spec.graph, section.keys()
    if name is not None and name not in names:
        hint = did_you_mean(name, names) or f"graphs here: {', '.join(names) or 'none'}"
        chosen = low.spec.node.get("graph")
        low.found.add("S022", f"'{low.spec.name}' has no graph '{short(name)}'", chosen and chosen.span, hint)


def names(spec: Spec) -> tuple[str, ...]:
    """The parts that can be built alone."""
    return spec.section("graphs").keys()


def part(spec: Spec, graph: Graph, name: str) -> Graph:
    """The part called `name` of a spec's whole graph.

    Raises LoweringError L061 where a condition emptied it.
    """
    listed = spec.section("graphs").get(name)
    outputs = (
        {str(i.value) for i in listed.items if isinstance(i, Scalar)}
        if isinstance(listed, Sequence)
        else set[str]()
    )
    if not outputs & {key for key, _ in graph.outputs}:
        message = f"no output of the graph '{name}' is there under these params"
        raise LoweringError(
            Diagnostic("L061", message, listed and listed.span, "look at 'when' of its outputs")
        )
    return cut(graph, f"{graph.name}-{name}", outputs)
