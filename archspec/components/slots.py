"""Kinds of fields: what may be written in a slot, and what a component gets.

The slot's kind decides how a bare word is read: as a number, as one of a set of words, or as the
name of a tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from pydantic import GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from archspec.dims.expr import Expr
from archspec.dims.num import Num
from archspec.ir.builder import Handle
from archspec.ir.graph import Init


@dataclass(frozen=True, slots=True)
class Slot:
    """How a field's value is read. `low`: the least number allowed."""

    kind: str
    low: float | None = None

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Lowering reads a slot's value before the model sees it: nothing is left to check."""
        return core_schema.any_schema()


@dataclass(frozen=True, slots=True)
class MaskRule:
    """Who may see whom: a condition over `b`, `h`, `q`, `k`, and the numbers and tensors it names."""

    expr: Expr
    numbers: tuple[tuple[str, Num], ...] = ()
    tensors: tuple[tuple[str, Handle], ...] = field(default=(), compare=False)


def _schema(*types: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": list(types), **more})


_NUMBER = _schema("number", "string", description="A number, or an expression.")
_TENSOR = _schema("string", "object", description="A step's name, a tensor expression, or {branch: [steps]}.")

Size: TypeAlias = Annotated[Num, Slot("int", 1), _NUMBER]
Count: TypeAlias = Annotated[Num, Slot("int", 0), _NUMBER]
Integer: TypeAlias = Annotated[Num, Slot("int"), _NUMBER]
Real: TypeAlias = Annotated[Num, Slot("real"), _NUMBER]
Positive: TypeAlias = Annotated[Num, Slot("real", 0), _NUMBER]
Extent: TypeAlias = Annotated[Num, Slot("extent"), _NUMBER]
Flag: TypeAlias = Annotated[bool, Slot("flag"), _schema("boolean", "string")]
Tensor: TypeAlias = Annotated[Handle, Slot("tensor"), _TENSOR]
Mask: TypeAlias = Annotated[
    MaskRule, Slot("mask"), _schema("string", description="A boolean expression over b, h, q, k.")
]
Initial: TypeAlias = Annotated[
    Init, Slot("init"), _schema("string", description="normal(std), zeros, ones, uniform(a, b) …")
]
Pattern: TypeAlias = Annotated[str, Slot("text"), _schema("string")]
Extents: TypeAlias = Annotated[tuple[Num, ...], Slot("extents"), _schema("array", "integer", "string")]
ExtentTable: TypeAlias = Annotated[dict[str, Num], Slot("extent_table"), _schema("object")]
