"""What a graph needs of itself, where some state is read, not computed, and some is left to the next step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archspec.backends.onnx.interface import Asks
from archspec.ir.graph import Apply, Call, Node, Region, Repeat, State
from archspec.ir.ops.state import Append, Hold, Keep

Found = tuple[tuple[Node, ...], frozenset[int]]


@dataclass(slots=True)
class Live:
    """Per region: its nodes that are needed, and which of its inputs these read.

    Held state that is read needs nothing of what computes it. State that is left needs what it is left by.
    """

    reads: Asks
    leaves: Asks
    found: dict[tuple[int, bool], Found] = field(default_factory=dict[tuple[int, bool], Found])
    regions: list[Region] = field(default_factory=list[Region])

    def nodes(self, region: Region, path: str) -> tuple[Node, ...]:
        return self._of(region, path)[0]

    def inputs(self, region: Region, path: str) -> frozenset[int]:
        """Positions of the inputs that are read."""
        return self._of(region, path)[1]

    def _of(self, region: Region, path: str) -> Found:
        key = (id(region), not path)
        if key not in self.found:
            self.found[key] = self._judged(region, path)
            self.regions.append(region)  # as long as it is known, no other has its id
        return self.found[key]

    def _judged(self, region: Region, path: str) -> Found:
        live = {value.name for value in region.outputs}
        kept: list[Node] = []
        states = {state.name: state for state in region.states}
        for node in reversed(region.nodes):
            used = any(value.name in live for value in node.outputs)
            if used or self._leaves(node, path, states):
                kept.append(node)
                live |= set(self._read(node, path, states))
        read = frozenset(i for i, value in enumerate(region.inputs) if value.name in live)
        return tuple(reversed(kept)), read

    def _read(self, node: Node, path: str, states: dict[str, State]) -> Iterator[str]:
        """Names of the values that a node reads."""
        positions = self._positions(node, path, states)
        return (v.name for i, v in enumerate(node.inputs) if v is not None and i in positions)

    def _positions(self, node: Node, path: str, states: dict[str, State]) -> frozenset[int]:
        if isinstance(node, Call):
            return self.inputs(node.region, join(path, node.region.name))
        if isinstance(node, Repeat):
            every = (self.inputs(variant, join(path, node.name)) for variant in node.variants)
            return frozenset[int]().union(*every, {0, 1} if node.rows else ())
        held = isinstance(node.op, Hold) and self.reads(join(path, node.op.state), states[node.op.state])
        return frozenset() if held else frozenset(range(len(node.inputs)))

    def _leaves(self, node: Node, path: str, states: dict[str, State]) -> bool:
        if isinstance(node, Apply):
            op = node.op
            if not isinstance(op, Append | Hold | Keep):
                return False
            return self.leaves(join(path, op.state), states[op.state])
        return any(self._leaves_inside(region, join(path, region.name)) for region in node.regions)

    def _leaves_inside(self, region: Region, path: str) -> bool:
        states = {state.name: state for state in region.states}
        return any(self._leaves(node, path, states) for node in region.nodes)


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


__all__ = ["Live", "join"]
