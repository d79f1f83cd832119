"""Python expressions as text that knows how tightly it binds, and what a rule may ask for."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from archspec.dims.num import Num
from archspec.ir.types import TensorType

# How tightly a Python expression binds, loosest first.
LAMBDA, OR, AND, NOT, COMPARE, BIT_OR, BIT_AND, SUM, PRODUCT, UNARY, POWER, ATOM = range(12)


class Code(Struct, frozen=True):
    """One Python expression and its precedence."""

    text: str
    level: int = ATOM

    def inside(self, level: int) -> str:
        """The text for a place that binds at `level`: in parentheses where it binds less tightly."""
        return f"({self.text})" if self.level < level else self.text

    @property
    def atom(self) -> str:
        """The text for a place before `.name`, `[…]` or `(…)`."""
        return self.inside(ATOM)


class Emission(Protocol):
    """What a rule knows of the place it writes for."""

    inputs: tuple[TensorType | None, ...]
    outputs: tuple[TensorType, ...]

    def number(self, number: Num) -> Code:
        """The number in a forward method: `3`, `self.num_heads`, `x.shape[1]`, `past + x.shape[1]`."""
        ...

    def device(self) -> str:
        """An expression for the device the model runs on: `input_ids.device`."""
        ...

    def model_dtype(self) -> str:
        """An expression for the dtype the model is built in: `self.weight.dtype`."""
        ...

    def require(self, line: str) -> None:
        """Ask for an import line at the top of the file, such as `import math`."""
        ...
