"""What a model takes and gives, beside its graph: which inputs, outputs and state, and by which names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from archspec.ir.graph import State

Asks: TypeAlias = Callable[[str, State], bool]
"""A question about a state: its path and what it is."""
StateName: TypeAlias = Callable[[str, State, int], str]
"""The name of one tensor of a state."""


def never(path: str, state: State) -> bool:
    return False


def plain_past(path: str, state: State, index: int) -> str:
    return f"past.{path}.{index}"


def plain_present(path: str, state: State, index: int) -> str:
    return f"present.{path}.{index}"


@dataclass(frozen=True, slots=True)
class Interface:
    """`leave_out`: inputs that are computed or absent, not given; `outputs`: those that are kept, or all.

    `reads` and `leaves` tell of a state whether the step before gives it, and the next one gets it. `names`:
    other names for inputs and outputs of the graph; `sizes`: for sizes, as the graph writes them. `fixed`:
    sizes that are numbers in this model.
    """

    leave_out: frozenset[str] = frozenset()
    outputs: frozenset[str] | None = None
    reads: Asks = never
    leaves: Asks = never
    past_name: StateName = plain_past
    present_name: StateName = plain_present
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    sizes: Mapping[str, str] = field(default_factory=dict[str, str])
    fixed: Mapping[str, int] = field(default_factory=dict[str, int])

    def keeps(self, output: str) -> bool:
        """Whether the model gives this output of the graph."""
        return self.outputs is None or output in self.outputs

    def name(self, of: str) -> str:
        """What an input or an output of the graph is called."""
        return self.names.get(of, of)


__all__ = ["Asks", "Interface", "StateName"]
