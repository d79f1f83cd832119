"""The variables of one forward method: which hold what, and when a name is free again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from archspec.backends.torch.code import PRODUCT, Code
from archspec.backends.torch.words import RESERVED
from archspec.dims.num import Num, same
from archspec.dims.poly import Poly, Symbol
from archspec.ir.graph import Value


class Pending(Struct, frozen=True):
    """An expression not written yet, the values it reads from variables, and how deep it is nested."""

    code: Code
    reads: tuple[str, ...]
    depth: int


@dataclass(slots=True)
class Variables:
    """`left` counts the reads of each value still to be written; a name whose value has none is free."""

    left: dict[str, int]
    holds: dict[str, Value] = field(default_factory=dict[str, Value])
    named: dict[str, str] = field(default_factory=dict[str, str])
    blocked: set[str] = field(default_factory=set[str])

    def bind(self, name: str, value: Value) -> None:
        self.holds[name] = value
        self.named[value.name] = name

    def read(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.left[name] = self.left.get(name, 0) - 1

    def is_read(self, value: Value) -> bool:
        """Whether something still to be written reads the value."""
        return self.left.get(value.name, 0) > 0

    def choose(self, hint: str) -> str:
        """A name for a new value: the hint without its number, with another where that is still read."""
        base = stem(hint)
        base = f"{base}_" if base in RESERVED else base
        number, name = 1, base
        while name in self.blocked or (name in self.holds and self.is_read(self.holds[name])):
            number += 1
            name = f"{base}_{number}"
        return name

    def size(self, number: Num) -> str | None:
        """`x.shape[1]`: where a variable has an axis of this size."""
        return next((text for text, size in self._axes() if same(size, number)), None)

    def solved(self, symbol: str) -> Code | None:
        """`x.shape[2] // 2`: a size from an axis that is a multiple of it, and a number."""
        for text, size in self._axes():
            factor, rest = _linear(size.size, symbol)
            if factor:
                moved = f"({text} - {rest})" if rest > 0 else f"({text} + {-rest})" if rest else text
                return Code(f"{moved} // {factor}", PRODUCT) if factor != 1 else Code(moved)
        return None

    def _axes(self) -> Iterator[tuple[str, Num]]:
        """The axes at hand. A mask may be broadcast, so its axes say nothing."""
        for name, value in self.holds.items():
            if not value.optional and (value.type.dtype, value.type.rank) != ("bool", 4):
                yield from ((f"{name}.shape[{axis}]", size) for axis, size in enumerate(value.type.shape))


def stem(name: str) -> str:
    """The name without the numbers that made it unique."""
    return re.sub(r"(_\d+)+\Z", "", name) or "x"


def _linear(size: float | Poly, symbol: str) -> tuple[int, int]:
    """`a, b` where the size is a * symbol + b; 0, 0 where it is not."""
    terms = dict(size.terms) if isinstance(size, Poly) else {}
    factor, rest = terms.pop(((Symbol(symbol), 1),), 0), terms.pop((), 0)
    return (0, 0) if terms else (factor, rest)
