"""The variables of one forward method: which hold what, and when a name is free again."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field

from archspec.backends.torch.code import Code
from archspec.dims.num import Num, same
from archspec.ir.graph import Value

RESERVED = frozenset({"self", "cache", "past", "torch", "F", "nn", "math", "Tensor", "i", "layer", "print", "type", "input"})


@dataclass(frozen=True, slots=True)
class Pending:
    """An expression not written yet, the values it reads from variables, and how deep it is nested."""

    code: Code
    reads: tuple[str, ...]
    depth: int


@dataclass(slots=True)
class Variables:
    """`left` counts the reads of each value still to be written; a name whose value has none is free."""

    left: dict[str, int]
    holds: dict[str, Value] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)

    def bind(self, name: str, value: Value) -> None:
        self.holds[name] = value
        self.named[value.name] = name

    def read(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.left[name] = self.left.get(name, 0) - 1

    def choose(self, hint: str) -> str:
        """A name for a new value: the hint without its number, unless that still holds something that is read."""
        base = re.sub(r"_\d+\Z", "", hint) or "x"
        if keyword.iskeyword(base) or base in RESERVED:
            base += "_"
        number, name = 1, base
        while name in self.blocked or (name in self.holds and self.left.get(self.holds[name].name, 0) > 0):
            number += 1
            name = f"{base}_{number}"
        return name

    def size(self, number: Num) -> str | None:
        """`x.shape[1]`: where a variable has an axis of this size."""
        for name, value in self.holds.items():
            if value.optional:
                continue
            for axis, dim in enumerate(value.type.shape):
                if same(dim, number):
                    return f"{name}.shape[{axis}]"
        return None
