"""Kinds of fields: what may be written in a slot, and what a component gets.

The slot's kind decides how a bare word is read: as a number, as one of a set of words, or as the
name of a tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from msgspec import Struct

from archspec.dims.expr import Expr
from archspec.dims.num import Num
from archspec.ir.builder import Handle
from archspec.ir.graph import Init


class Slot(Struct, frozen=True):
    """How a field's value is read. `low`: the least number allowed."""

    kind: str
    low: float | None = None


@dataclass(frozen=True, slots=True)
class PairRule:
    """What holds for a query and a key: over `b`, `h`, `q`, `k`, and the numbers and tensors it names.

    A condition (who may see whom) or a number (what is added to a score).
    """

    expr: Expr
    numbers: tuple[tuple[str, Num], ...] = ()
    tensors: tuple[tuple[str, Handle], ...] = field(default=(), compare=False)


Size: TypeAlias = Annotated[Num, Slot("int", 1)]
Count: TypeAlias = Annotated[Num, Slot("int", 0)]
Integer: TypeAlias = Annotated[Num, Slot("int")]
Real: TypeAlias = Annotated[Num, Slot("real")]
Positive: TypeAlias = Annotated[Num, Slot("real", 0)]
Extent: TypeAlias = Annotated[Num, Slot("extent")]
Flag: TypeAlias = Annotated[bool, Slot("flag")]
Tensor: TypeAlias = Annotated[Handle, Slot("tensor")]
Mask: TypeAlias = Annotated[PairRule, Slot("mask")]
Score: TypeAlias = Annotated[Handle | PairRule, Slot("score")]
Initial: TypeAlias = Annotated[Init, Slot("init")]
Pattern: TypeAlias = Annotated[str, Slot("text")]
Extents: TypeAlias = Annotated[tuple[Num, ...], Slot("extents")]
ExtentTable: TypeAlias = Annotated[dict[str, Num], Slot("extent_table")]
