"""A spec as a running module with random weights."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, cast

import torch
from torch import Tensor, nn

from archspec import api
from archspec.dims import num as n
from archspec.ir.graph import Apply, Graph, Value, walk
from archspec.ir.ops.attention import Attention
from archspec.spec.spec import Spec
from tests.language import draw
from tests.language.reference import compute
from tests.parity.compare import Expected

Outputs = dict[str, Tensor]
Inputs = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Rig:
    """`name` tells it apart from the same spec with another attention."""

    name: str
    graph: Graph
    source: str
    module: nn.Module

    @classmethod
    def set_up(cls, spec: Spec, attention: str) -> "Rig":
        module = api.compile(spec, attention=attention)
        draw.weights(module, 0)
        made = cast("Any", module)
        return cls(f"{spec.name} {attention}", made.graph, made.source, module)

    def inputs(self, sizes: dict[str, int], *, optional: bool = True) -> dict[str, Tensor]:
        """Random inputs, but for those that only a loss reads."""
        known = inspect.signature(self.module.forward).parameters
        drawn = draw.inputs(self.graph, sizes, optional=optional)
        return {name: x for name, x in drawn.items() if name in known}

    def run(self, inputs: Inputs, **more: object) -> Outputs:
        return named(self.graph, self.module(**inputs, **more))

    def expected(self, reference: str, inputs: Inputs) -> Expected:
        """The reference's outputs in fp32, and how far they are from its outputs in fp64."""
        absent = {value.name: None for value in self.graph.inputs}
        w = self.module.state_dict()
        single = compute(reference, w, absent | dict(inputs))
        double = compute(reference, doubled(w), absent | doubled(inputs))
        return Expected.measured(named(self.graph, single), named(self.graph, double))

    def stepwise(self, inputs: Inputs, lengths: list[int]) -> Outputs:
        """The outputs that grow, of a sequence fed in pieces with a cache."""
        cache = cast("Any", self.module).make_cache(sum(lengths))
        steps: list[Outputs] = []
        for end, length in zip(accumulate(lengths), lengths, strict=True):
            given = {name: self._piece(name, x, end - length, end) for name, x in inputs.items()}
            steps.append(self.run(given, cache=cache))
        return {name: torch.cat([s[name] for s in steps], axis) for name, axis in self.growing().items()}

    def growing(self) -> dict[str, int]:
        """Outputs along the size that streams, and the axis."""
        found = ((name, self._streamed(value)) for name, value in self.graph.outputs)
        return {name: axes[0] for name, axes in found if axes}

    def _streamed(self, value: Value) -> list[int]:
        stream = n.symbol(self.graph.stream or "")
        return [axis for axis, size in enumerate(value.type.shape) if n.same(size, stream)]

    def _piece(self, name: str, x: Tensor, start: int, end: int) -> Tensor:
        """What a step is given of an input: its own part, or all up to here."""
        value = next(value for value in self.graph.inputs if value.name == name)
        for axis in self._streamed(value):
            x = x.narrow(axis, start, end - start)
        for axis, size in enumerate(value.type.shape):
            x = x.narrow(axis, 0, end) if "past" in n.reads(size) else x
        return x


def doubled(tensors: Inputs) -> dict[str, Tensor]:
    return {name: x.double() if x.is_floating_point() else x for name, x in tensors.items()}


def named(graph: Graph, result: Any) -> Outputs:
    """The outputs by name; true and false as 1 and 0."""
    names = [name for name, _ in graph.outputs]
    parts = [result] if isinstance(result, Tensor) else list(result)
    return {name: x.long() if x.dtype == torch.bool else x for name, x in zip(names, parts, strict=True)}


def implementations(spec: Spec) -> tuple[str, ...]:
    """The ways to compute its attention: both, one where there is none, `eager` where scores are capped."""
    nodes = (node for _, region, _ in walk(api.lower(spec).root) for node in region.nodes)
    ops = [node.op for node in nodes if isinstance(node, Apply) and isinstance(node.op, Attention)]
    if any(op.softcap is not None for op in ops):
        return ("eager",)
    return ("eager", "sdpa") if ops else ("sdpa",)


def pieces(length: int) -> tuple[list[int], list[int]]:
    """Lengths of the steps: one token at a time; and a long piece, one token, then what comes."""
    return [1] * length, [3, 1, 2, length - 6]
