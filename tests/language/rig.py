"""A case as a running module beside its reference."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, cast

import torch
from torch import Tensor, nn

from archspec import api
from archspec.dims import num as n
from archspec.ir.graph import Apply, Graph, Region, Value, walk
from archspec.ir.ops.attention import Attention
from archspec.spec.spec import Spec
from tests.language import draw
from tests.language.reference import compute
from tests.parity.compare import Expected

Outputs = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Rig:
    """A spec compiled with random weights."""

    graph: Graph
    module: nn.Module

    @classmethod
    def set_up(cls, spec: Spec, attention: str, seed: int = 0) -> "Rig":
        module = api.compile(spec, attention=attention)
        draw.weights(module, seed)
        return cls(cast("Graph", module.graph), module)

    def run(self, inputs: Mapping[str, Tensor], **more: object) -> Outputs:
        """The outputs; inputs that only a loss reads are left out."""
        known = inspect.signature(self.module.forward).parameters
        given = {name: x for name, x in inputs.items() if name in known}
        return named(self.graph, self.module(**given, **more))

    def expected(self, reference: str, inputs: Mapping[str, Tensor]) -> Expected:
        """The reference's outputs in fp32, and how far they are from its outputs in fp64."""
        absent = {value.name: None for value in self.graph.inputs}
        w = self.module.state_dict()
        single = named(self.graph, compute(reference, w, absent | inputs))
        double = named(self.graph, compute(reference, doubled(w), absent | doubled(inputs)))
        return Expected.measured(single, double)

    def stepwise(self, inputs: Mapping[str, Tensor], lengths: list[int]) -> Outputs:
        """The outputs that grow, of a sequence fed in pieces with a cache."""
        cache = cast("Any", self.module).make_cache(sum(lengths))
        steps: list[Outputs] = []
        for end, length in zip(accumulate(lengths), lengths, strict=True):
            given = {name: self.piece(name, x, end - length, end) for name, x in inputs.items()}
            steps.append(self.run(given, cache=cache))
        return {name: torch.cat([s[name] for s in steps], axis) for name, axis in self.growing().items()}

    def growing(self) -> dict[str, int]:
        """Outputs along the size that streams, and the axis."""
        found = ((name, streamed(self.graph, value)) for name, value in self.graph.outputs)
        return {name: axes[0] for name, axes in found if axes}

    def piece(self, name: str, x: Tensor, start: int, end: int) -> Tensor:
        """What a step is given of an input: its own part, or all up to here."""
        value = next(value for value in self.graph.inputs if value.name == name)
        for axis, size in enumerate(value.type.shape):
            if n.same(size, n.symbol(self.graph.stream or "")):
                x = x.narrow(axis, start, end - start)
            elif "past" in n.reads(size):
                x = x.narrow(axis, 0, end)
        return x


def streamed(graph: Graph, value: Value) -> list[int]:
    """The axes of a value that grow while decoding."""
    stream = n.symbol(graph.stream) if graph.stream else None
    return [axis for axis, size in enumerate(value.type.shape) if stream and n.same(size, stream)]


def doubled(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: x.double() if x.is_floating_point() else x for name, x in tensors.items()}


def named(graph: Graph, result: Any) -> Outputs:
    """The outputs by name."""
    names = [name for name, _ in graph.outputs]
    return {names[0]: result} if isinstance(result, Tensor) else dict(zip(names, result, strict=True))


def implementations(spec: Spec) -> tuple[str, ...]:
    """The ways to compute its attention: one is enough where there is none."""
    attends = any(_attends(region) for _, region, _ in walk(api.lower(spec).root))
    return ("eager", "sdpa") if attends else ("sdpa",)


def _attends(region: Region) -> bool:
    return any(isinstance(node, Apply) and isinstance(node.op, Attention) for node in region.nodes)
