"""A model whose outputs feed its inputs: each output is computed by a module of its own, when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from archspec import model
from archspec.backends.torch.emit import emit
from archspec.decode import tables_named
from archspec.errors import ArchspecError, Diagnostic
from archspec.ir.cut import cut
from archspec.ir.graph import Graph, Region, Value, parameters
from archspec.lowering.running import Running

Known = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Parts:
    """A whole graph and its weights. `modules` are those that were asked for, by what they compute.

    `cuts` are the parts of the graph that compute single outputs.
    """

    graph: Graph
    running: Running
    state: model.State
    attention: str = "sdpa"
    dtype: torch.dtype | None = None
    modules: dict[str, tuple[nn.Module, Graph]] = field(default_factory=dict[str, tuple[nn.Module, Graph]])
    cuts: dict[str, Graph] = field(default_factory=dict[str, Graph])

    def needed(self, output: str) -> tuple[Value, ...]:
        """The inputs that an output cannot do without."""
        return needed(self._cut(output))

    def sources(self, name: str, seen: frozenset[str] = frozenset()) -> Iterator[Value]:
        """The inputs that nothing computes, and from which an input or an output is computed in the end."""
        region, inputs = self._feed.get(name), {v.name: v for v in self.graph.inputs}
        if region is None and name in inputs:
            yield inputs[name]
        elif name not in seen:
            for value in region.inputs if region else self.needed(name):
                yield from self.sources(value.name, seen | {name})

    @property
    def _feed(self) -> Mapping[str, Region]:
        return self.running.sampler.feed if self.running.sampler else {}

    def value(self, name: str, known: Known, asked: frozenset[str] = frozenset()) -> Tensor:
        """An input or an output: known, or computed from what is.

        Raises ArchspecError X010 where an input is missing or needs itself, X006 for an id past its table.
        """
        if name in known:
            return known[name]
        if name in asked:
            raise cannot(f"'{name}' is computed from itself", "look at 'feed' in the spec")
        if name in self._feed:
            return self.evaluate(name, self._feed[name], known, asked | {name})
        if name in dict(self.graph.outputs):
            return self._output(name, known, asked | {name})
        raise cannot(f"nothing gives the input '{name}'", "the spec may compute it, under 'feed'")

    def _output(self, name: str, known: Known, asked: frozenset[str]) -> Tensor:
        module, graph = self._part(name)
        given = {v.name: self.value(v.name, known, asked) for v in needed(graph)}
        given |= {v.name: known[v.name] for v in graph.inputs if v.name in known}
        with tables_named(graph), torch.no_grad():
            return module(**{key: self._cast(x) for key, x in given.items()})

    def _cast(self, x: Tensor) -> Tensor:
        return x.to(self.dtype) if self.dtype and x.is_floating_point() else x

    def evaluate(
        self, name: str, region: Region, known: Known, asked: frozenset[str] = frozenset()
    ) -> Tensor:
        """What an expression computes that stands beside the model."""
        given = {v.name: self.value(v.name, known, asked) for v in region.inputs}
        result = region.outputs[0]
        if result in region.inputs:
            return given[result.name]
        with torch.no_grad():
            return self._made(f"expression of {name}", partial(_alone, name, region))[0](**given)

    def _part(self, output: str) -> tuple[nn.Module, Graph]:
        return self._made(output, partial(self._cut, output))

    def _cut(self, output: str) -> Graph:
        if output not in self.cuts:
            self.cuts[output] = cut(self.graph, f"{self.graph.name}-{output}", {output})
        return self.cuts[output]

    def _made(self, key: str, graph_of: Callable[[], Graph]) -> tuple[nn.Module, Graph]:
        if key not in self.modules:
            graph = graph_of()
            own = {path: self.state[path] for path, _ in parameters(graph)}
            module = model.make(emit(graph, attention=self.attention), graph, state=own)
            self.modules[key] = module.to(self.dtype) if self.dtype else module, graph
        return self.modules[key]


def needed(graph: Graph) -> tuple[Value, ...]:
    """The inputs that a caller must give."""
    computed = {value.name for value in graph.defaults.outputs} if graph.defaults else set[str]()
    return tuple(v for v in graph.inputs if not v.optional and v.name not in computed)


def cannot(message: str, hint: str) -> ArchspecError:
    """X010: what was asked for cannot be sampled."""
    return ArchspecError(Diagnostic("X010", message, None, hint))


def _alone(name: str, region: Region) -> Graph:
    """An expression as a graph of its own."""
    dims = {str(size): None for v in region.inputs for size in v.type.shape if not size.static}
    return Graph(name, "", "", tuple(dims), None, region, None, ((name, region.outputs[0]),), (), ())
