"""The arguments of a word, read from the annotations of its fields."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import NODEFAULT, UNSET, Struct, UnsetType
from msgspec.structs import FieldInfo, fields

from archspec.components.slots import Slot


class Fields(Struct, frozen=True):
    """A group of arguments: a component, or what stands in one of its arguments (`rope: {theta: …}`)."""


class Argument(Struct, frozen=True):
    """One argument.

    `name` is as written in a spec, `attribute` as in the class; `words` are those it may be, `nested` is the
    group it holds; `default` is UNSET where it must be given.
    """

    name: str
    attribute: str
    slot: Slot
    words: tuple[str, ...]
    nested: type[Fields] | None
    nullable: bool
    default: object | UnsetType

    @property
    def required(self) -> bool:
        return self.default is UNSET


@cache
def arguments(kind: type[Fields]) -> dict[str, Argument]:
    """The arguments of a group by the name that is written in a spec."""
    return {field.encode_name: _argument(field) for field in fields(kind)}


def _argument(field: FieldInfo) -> Argument:
    pieces = tuple(_pieces(field.type))
    words = tuple(word for piece in pieces if get_origin(piece) is Literal for word in get_args(piece))
    slot = next((piece for piece in pieces if isinstance(piece, Slot)), Slot("word" if words else "text"))
    nested = next((p for p in pieces if isinstance(p, type) and issubclass(p, Fields)), None)
    default = UNSET if field.default is NODEFAULT else field.default
    return Argument(field.encode_name, field.name, slot, words, nested, type(None) in pieces, default)


def _pieces(annotation: Any) -> Iterator[Any]:
    """The alternatives of a union, and what each is annotated with."""
    yield annotation
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
        yield from _pieces(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _pieces(part)
