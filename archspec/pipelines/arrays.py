"""A compiled model as a function of numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn

from archspec import model
from archspec.backends.torch.emit import emit
from archspec.decode import outputs_of
from archspec.ir.graph import Graph, parameters

Array: TypeAlias = np.ndarray[Any, Any]


class Original:
    """A module to compare with. It computes in float32, with weights rounded to `dtype`."""

    def __init__(self, module: nn.Module, dtype: str = "float32") -> None:
        self.module, self.dtype = module, dtype

    @property
    def arrays(self) -> Mapping[str, Array]:
        """The module's tensors by name, not copied if numpy has their dtype."""
        state = cast("Mapping[str, Tensor]", self.module.state_dict())
        return {name: _array(tensor) for name, tensor in state.items()}

    def run(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises ArchspecError X006 past a table, RuntimeError for wrong sizes."""
        graph = cast("Graph", self.module.graph)
        tensors = {name: torch.from_numpy(array) for name, array in given.items()}
        return {name: _array(tensor) for name, tensor in outputs_of(self._rounded, graph, tensors).items()}

    def part(self, graph: Graph) -> Original:
        """A part of it alone, that is cut from its graph."""
        state = cast("Mapping[str, Tensor]", self.module.state_dict())
        own = {path: state[path] for path, _ in parameters(graph)}
        return Original(model.make(emit(graph, attention="eager"), graph, state=own), self.dtype)

    @cached_property
    def _rounded(self) -> nn.Module:
        if self.dtype == "float32" and all(p.dtype == torch.float32 for p in self.module.parameters()):
            return self.module
        return deepcopy(self.module).to(getattr(torch, self.dtype)).float()


def _array(tensor: Tensor) -> Array:
    plain = tensor.detach().cpu()
    return cast("Array", (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy())
