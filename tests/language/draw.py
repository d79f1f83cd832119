"""Random inputs and weights for any graph, and the sizes to draw them at."""

import torch
from torch import Tensor, nn

from archspec.dims import num as n
from archspec.dims import poly
from archspec.ir.graph import Graph, Value
from tests.parity.draw import generator, randomise

Inputs = dict[str, Tensor]

# Two sets of sizes by name; the second with one example only.
SIZES = (
    {"B": 3, "S": 9, "T": 7, "L": 8, "H": 4, "W": 6, "past": 0},
    {"B": 1, "S": 12, "T": 5, "L": 10, "H": 6, "W": 4, "past": 0},
)
LIMIT = 8  # integers are below this, so every table has at least as many rows


def weights(module: nn.Module, seed: int) -> None:
    """Every tensor anew; variances stay positive."""
    randomise(module, seed)
    with torch.no_grad():
        for name, tensor in module.named_buffers():
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)


def inputs(graph: Graph, sizes: dict[str, int], *, optional: bool) -> Inputs:
    """The graph's inputs, with or without those that may be absent."""
    given = [value for value in graph.inputs if optional or not _may_lack(graph, value)]
    return {value.name: draw(value, sizes) for value in given}


def _may_lack(graph: Graph, value: Value) -> bool:
    computed = {output.name for output in graph.defaults.outputs} if graph.defaults else set[str]()
    return value.optional or value.name in computed


def draw(value: Value, sizes: dict[str, int]) -> Tensor:
    """Normal floats; small integers; masks of 0 and 1 that begin with 1; documents that only grow."""
    shape = [extent(size, sizes) for size in value.type.shape]
    random = generator(value.name, shape)
    if value.type.dtype == "float":
        return torch.randn(shape, generator=random)
    if value.name.startswith("doc"):
        return (torch.rand(shape, generator=random) < 0.4).long().cumsum(-1)
    if value.type.dtype == "bool" or value.name.endswith("mask"):
        drawn = torch.rand(shape, generator=random) < 0.6
        drawn[..., 0] = True
        return drawn.to(getattr(torch, value.type.dtype))
    return torch.randint(LIMIT, shape, generator=random).to(getattr(torch, value.type.dtype))


def extent(size: n.Num, sizes: dict[str, int]) -> int:
    return int(n.num(poly.evaluate(size.size, sizes)))
