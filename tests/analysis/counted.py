"""FLOPs as torch counts them on an emitted module, at the tiny sizes and inputs of the parity tests."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from archspec.dims.poly import Poly, Symbol
from archspec.ir.graph import Graph
from archspec.measuring.measure import forward_flops

_GRADIENT = torch.ops.aten.convolution_backward


def _conv_gradients(grad: Any, x: Any, weight: Any, *rest: Any, out_val: Any = None, **_: Any) -> int:
    """Each gradient costs as much as the forward pass; torch's own formula counts groups too often."""
    transposed, mask = rest[4], rest[7]
    places = (x if transposed else grad).shape
    forward = 2 * places.numel() * weight.numel() // weight.shape[0]
    return forward * sum(mask[:2])


_conv_gradients._get_raw = True  # type: ignore[attr-defined]  # a formula that is given tensors, not shapes


def counted(module: Any, given: Mapping[str, Tensor], output: str | None = None) -> dict[str, int]:
    """FLOPs by operation: of a forward pass, or of a step that minimises the sum of an output."""
    module.zero_grad()
    counter = FlopCounterMode(display=False, custom_mapping={_GRADIENT: _conv_gradients})
    if output is None:
        with forward_flops(module, counter):
            module(**given)
    else:
        with counter:
            result = module(**given)
            (result if isinstance(result, Tensor) else getattr(result, output)).sum().backward()
    return {str(name): flops for name, flops in counter.get_flop_counts()["Global"].items()}


def sizes_of(graph: Graph, given: Mapping[str, Tensor]) -> dict[str, int]:
    """The run-time sizes that these inputs have."""
    pairs = [
        (size.value, extent)
        for value in graph.inputs
        if value.name in given
        for size, extent in zip(value.type.shape, given[value.name].shape, strict=True)
    ]
    return {name: extent // times for size, extent in pairs for name, times in _symbol(size)}


def _symbol(size: object) -> list[tuple[str, int]]:
    """The symbol of a size such as `S` or `8 * H`, and its factor."""
    match size:
        case Poly(terms=((((Symbol(name=name), 1),), times),)):
            return [(name, times)]
        case _:
            return []
