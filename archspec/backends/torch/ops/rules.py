"""The registry of the PyTorch rules, and the parts that rules are written with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from archspec.backends.base import Rules
from archspec.backends.torch.code import Code, Emission
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.types import TensorType

# A rule gives one expression; for an operation with several results, one that evaluates to a tuple.
RULES: Rules[Emission, Code, Code] = Rules("torch")

Args: TypeAlias = Sequence[Code | None]


def operand(args: Args, index: int = 0) -> Code:
    """An operand that is always there."""
    found = args[index]
    assert found is not None, f"operand {index} is absent"
    return found


def optional(args: Args, index: int) -> Code | None:
    """An operand that may be None, or left off at the end."""
    return args[index] if index < len(args) else None


def type_of(place: Emission, index: int = 0) -> TensorType:
    """The type of an operand that is always there."""
    found = place.inputs[index]
    assert found is not None, f"operand {index} has no type"
    return found


def axis_text(type_: TensorType, axis: int) -> str:
    """An axis as people write it: the last one is -1."""
    return "-1" if axis % type_.rank == type_.rank - 1 else str(axis % type_.rank)


def grid(type_: TensorType) -> int:
    """The number of axes behind [B, C].

    Raises `UnsupportedError` (B001) where torch has no function for so many.
    """
    axes = type_.rank - 2
    if not 1 <= axes <= 3:
        raise UnsupportedError(Diagnostic("B001", f"torch works on grids of 1 to 3 axes, not on {type_}"))
    return axes
