"""What does not grow while decoding is computed once: an encoder's result, read by a decoder that streams."""

from __future__ import annotations

from dataclasses import replace

from archspec.dims import poly
from archspec.ir.graph import Apply, Graph, Node, Region, State, Value
from archspec.ir.ops.state import Hold


def hold_static(graph: Graph) -> Graph:
    """Afterwards what a module computes that does not stream, but is read by what does, is held."""
    if graph.stream is None:
        return graph
    growing = {graph.stream, "past"}
    streaming = _streaming(graph.root, growing)
    if not streaming:
        return graph
    root = graph.root
    for value in _static(root, streaming):
        root = _hold(root, value)
    outputs = zip((name for name, _ in graph.outputs), root.outputs, strict=True)
    return replace(graph, root=root, outputs=tuple(outputs))


def _static(root: Region, streaming: set[str]) -> list[Value]:
    """Results of modules that do not stream, read by nodes that do."""
    modules = [node for node in root.nodes if _computes(node) and not _stateful(node)]
    growing = [node for node in root.nodes if any(o.name in streaming for o in node.outputs)]
    read = {v.name for node in growing for v in node.inputs if v is not None}
    return [v for node in modules for v in node.outputs if v.name not in streaming and v.name in read]


def _streaming(region: Region, growing: set[str]) -> set[str]:
    """Names of values that depend on what streams."""
    out = {v.name for v in region.inputs if _grows(v, growing)}
    for node in region.nodes:
        reads = any(v is not None and v.name in out for v in node.inputs)
        if reads or any(_grows(o, growing) for o in node.outputs):
            out |= {o.name for o in node.outputs}
    return out


def _grows(value: Value, growing: set[str]) -> bool:
    return any(isinstance(d.value, poly.Poly) and poly.symbols(d.value) & growing for d in value.type.shape)


def _computes(node: Node) -> bool:
    """Whether a module does more than to hand out a parameter."""
    return any(region.nodes for region in node.regions)


def _stateful(node: Node) -> bool:
    return any(r.states or any(_stateful(inner) for inner in r.nodes) for r in node.regions)


def _hold(region: Region, value: Value) -> Region:
    """A `hold` right behind the node that makes `value`; everything later reads the held one."""
    taken = {v.name for node in region.nodes for v in node.outputs}
    name = next(
        n for n in (f"{value.name}_held", *(f"{value.name}_held_{i}" for i in range(2, 99))) if n not in taken
    )
    held = Value(name, value.type)
    state = State("hold" if not region.states else f"hold_{len(region.states) + 1}", "hold", (value.type,))
    at = next(i for i, node in enumerate(region.nodes) if value in node.outputs)
    later = tuple(_reading(node, value, held) for node in region.nodes[at + 1 :])
    node = Apply(Hold(state.name), (value,), (held,), region.nodes[at].span)
    outputs = tuple(held if v == value else v for v in region.outputs)
    return replace(
        region, nodes=(*region.nodes[: at + 1], node, *later), states=(*region.states, state), outputs=outputs
    )


def _reading(node: Node, old: Value, new: Value) -> Node:
    return replace(node, inputs=tuple(new if v == old else v for v in node.inputs))
