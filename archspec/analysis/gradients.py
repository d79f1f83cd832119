"""Which values need gradients, and which operations keep something for them, as torch's autograd has it."""

from __future__ import annotations

from typing import TypeAlias

from archspec.ir.graph import Apply, Call, Node, Region, Repeat
from archspec.ir.op import Op
from archspec.ir.ops.elementwise import Arith, Dropout, Map, Scalar, StopGradient
from archspec.ir.ops.reduce import Reduce
from archspec.ir.ops.shape import Gather, Scatter, Take
from archspec.ir.ops.state import Append, Hold
from archspec.ir.types import is_float

Flags: TypeAlias = tuple[bool, ...]

_LINEAR: dict[type[Op], tuple[str, ...]] = {
    Arith: ("add", "sub"),
    Scalar: ("add", "sub", "mul", "div"),
    Map: ("neg",),
    Reduce: ("sum", "mean"),
}


def keeps(op: Op, dropout: bool) -> bool:
    """Whether an operation that needs gradients keeps a tensor for them.

    What is linear in its operand keeps none; a look-up keeps its index; dropout its mask, where it is on.
    """
    if isinstance(op, Dropout):
        return dropout and op.p.value != 0
    if isinstance(op, Gather | Take | Scatter):
        return True
    if isinstance(op, Scalar) and op.flip and op.fn == "div":
        return True
    if type(op) in _LINEAR:
        return getattr(op, "fn", None) not in _LINEAR[type(op)]
    return op.work not in ("movement", "source", "state")


class Gradients:
    """For each region, by which of its inputs need gradients, which of its values do."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Flags], dict[str, bool]] = {}

    def of(self, region: Region, given: Flags) -> dict[str, bool]:
        """By the names of the values in `region`. Parameters that learn need gradients."""
        key = (id(region), given)
        if key not in self._known:
            self._known[key] = self._computed(region, given)
        return self._known[key]

    def results(self, region: Region, given: Flags) -> Flags:
        needs = self.of(region, given)
        return tuple(needs[value.name] for value in region.outputs)

    def _computed(self, region: Region, given: Flags) -> dict[str, bool]:
        needs = {value.name: flag for value, flag in zip(region.inputs, given, strict=True)}
        needs |= {param.name: param.trainable for param in region.params}
        for node in region.nodes:
            flags = taken(node, needs)
            for value, flag in zip(node.outputs, self._through(node, flags), strict=True):
                needs[value.name] = flag and is_float(value.type.dtype)
        return needs

    def _through(self, node: Node, flags: Flags) -> Flags:
        if isinstance(node, Apply):
            if isinstance(node.op, Append | Hold) and len(flags) == len(node.outputs):
                return flags  # each result is what its own operand was, and what came before
            return (any(flags) and not isinstance(node.op, StopGradient),) * len(node.outputs)
        if isinstance(node, Call):
            return self.results(node.region, self.positions(node, flags)[-1])
        if node.rows is not None:
            each = [self.results(variant, flags) for variant in node.variants]
            return tuple(any(column) for column in zip(*each, strict=True))
        *_, last = self.layers(node, flags)
        return self.results(node.variants[node.schedule[-1]], last) if node.schedule else last[: node.own]

    def positions(self, node: Call, flags: Flags) -> list[Flags]:
        """What a region is given at the first positions that it runs along; all behind are as the last."""
        out: list[Flags] = [flags]
        while node.along is not None:
            carried = self.results(node.region, out[-1])[: node.along.carried]
            following = (*carried, *flags[node.along.carried :])
            if following in out:
                break
            out.append(following)
        return out

    def layers(self, node: Repeat, flags: Flags) -> list[Flags]:
        """What each layer of a repeat is given."""
        out: list[Flags] = [flags]
        for variant in node.schedule[:-1]:
            carried = self.results(node.variants[variant], out[-1])
            out.append((*carried, *flags[len(carried) :]))
        return out


def taken(node: Node, needs: dict[str, bool]) -> Flags:
    """Which of a node's operands need gradients."""
    return tuple(value is not None and needs[value.name] for value in node.inputs)
