"""What a graph reads of the step before and leaves to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import onnx_ir as ir

from archspec.backends.onnx.interface import Asks
from archspec.backends.onnx.tensor import Grown, Tensor
from archspec.ir.graph import State

Key: TypeAlias = tuple[str, int]
NewInput: TypeAlias = "Callable[[str, State, int], Tensor]"
"""Makes the graph's input for one tensor of a state: its path, the state, which of its tensors."""


@dataclass(slots=True)
class States:
    """Per state, by its path: whether it is read and left, and the tensors it has so far.

    `starts`: the number that fills it before the first step, where the caller gives it.
    """

    reads: Asks
    leaves: Asks
    new_input: NewInput
    starts: dict[str, float] = field(default_factory=dict[str, float])
    declared: dict[str, State] = field(default_factory=dict[str, State])
    given: dict[Key, Tensor] = field(default_factory=dict[Key, Tensor])
    left: dict[Key, Tensor | ir.Value] = field(default_factory=dict[Key, Tensor | ir.Value])

    def declare(self, path: str, state: State) -> None:
        self.declared.setdefault(path, state)

    def before(self, path: str, index: int) -> Tensor | None:
        """What the step before left, if this graph reads it."""
        state = self.declared[path]
        if not self.reads(path, state):
            return None
        if (path, index) not in self.given:
            self.given[path, index] = self.new_input(path, state, index)
        return self.given[path, index]

    def leave(self, path: str, index: int, tensor: Tensor | ir.Value) -> None:
        """What the next step reads, if this graph leaves it; a later word on the same state replaces it."""
        if self.leaves(path, self.declared[path]):
            self.left[path, index] = tensor


__all__ = ["Grown", "States"]
