"""The components of the language, described from their fields."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from msgspec import Struct, to_builtins
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from archspec.components import COMPONENTS, Component
from archspec.components.slots import Slot
from archspec.dims.num import Num
from archspec.ir.graph import Init

_KINDS = {
    "int": "integer",
    "real": "number",
    "extent": "size",
    "extents": "sizes",
    "flag": "boolean",
    "text": "text",
    "tensor": "tensor",
    "mask": "mask",
    "init": "initialisation",
    "int_or_word": "integer",
}


class Argument(Struct, frozen=True):
    """One argument of a component. `default` is as it is written, None where the argument must be given."""

    name: str
    kind: str
    default: str | None


class Word(Struct, frozen=True):
    """A component as the language knows it."""

    name: str
    summary: str
    arguments: tuple[Argument, ...]

    def record(self) -> dict[str, object]:
        """The word as plain data."""
        return to_builtins(self)

    def __str__(self) -> str:
        rows = [
            f"    {a.name}: {a.kind}" + ("" if a.default is None else f" = {a.default}")
            for a in self.arguments
        ]
        return "\n".join([f"{self.name}: {self.summary}", *rows])


def words() -> tuple[Word, ...]:
    """Every component, by name."""
    return tuple(_word(name, kind) for name, kind in sorted(COMPONENTS.items()))


def _word(name: str, kind: type[Component]) -> Word:
    summary = (kind.__doc__ or "").strip().split("\n")[0]
    fields = kind.model_fields.items()
    return Word(name, summary, tuple(_argument(field.alias or key, field) for key, field in fields))


def _argument(name: str, field: FieldInfo) -> Argument:
    return Argument(name, _kind(field), None if field.is_required() else _written(field.default))


def _kind(field: FieldInfo) -> str:
    pieces = [*field.metadata, *_pieces(field.annotation)]
    found = [_KINDS[piece.kind] for piece in pieces if isinstance(piece, Slot) and piece.kind in _KINDS]
    found += [str(word) for piece in pieces if get_origin(piece) is Literal for word in get_args(piece)]
    found += [_nested(piece) for piece in pieces if isinstance(piece, type) and issubclass(piece, BaseModel)]
    return " | ".join(dict.fromkeys(found)) or "text"


def _nested(model: type[BaseModel]) -> str:
    return "{" + ", ".join(f"{name}: {_kind(field)}" for name, field in model.model_fields.items()) + "}"


def _pieces(annotation: Any) -> Iterator[Any]:
    """The alternatives of a union, and what each is annotated with."""
    yield annotation
    parts = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    inner = getattr(annotation, "__metadata__", ())
    for part in (*parts, *inner, *([annotation.__origin__] if inner else [])):
        yield from _pieces(part)


def _written(default: object) -> str:
    if isinstance(default, Num):
        return str(default)
    if isinstance(default, Init):
        return f"{default.kind}({', '.join(str(x) for x in (default.a, default.b) if x is not None)})"
    return str(default).lower() if isinstance(default, bool) else "null" if default is None else str(default)
