"""The models of a document as pydantic models: they write the JSON Schema, and judge plain data.

`archspec check` judges a document node by node, so that each finding has its place; these models say the
same of data without places. They are made when they are asked for, since making them takes a while.
"""

from __future__ import annotations

from copy import copy
from functools import cache, partial
from types import GenericAlias, UnionType
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, fields
from pydantic import BaseModel, ConfigDict, Field, create_model


class _Strict(BaseModel):
    """Nothing is guessed: unknown keys are refused, and `yes` is no boolean."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@cache
def pydantic_model(kind: type[Struct]) -> type[BaseModel]:
    """A model that takes what the keys of `kind` take, named and described as they are."""
    made: dict[str, Any] = {part.name: _field(part) for part in fields(kind)}
    return create_model(kind.__name__, __base__=_Strict, __doc__=kind.__doc__, **made)


def _field(part: FieldInfo) -> tuple[Any, Any]:
    marks = getattr(part.type, "__metadata__", ())
    said = next((text for text in marks if isinstance(text, str)), None)
    alias = part.encode_name if part.encode_name != part.name else None
    if part.required:
        return _meant(part.type), Field(description=said, alias=alias)
    made = partial(copy, part.default) if isinstance(part.default, Struct) else part.default_factory
    if callable(made):
        return _meant(part.type), Field(default_factory=made, description=said, alias=alias)
    return _meant(part.type), Field(default=part.default, description=said, alias=alias)


def _meant(annotation: Any) -> Any:
    """The annotation in pydantic's words."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        limits = [_limit(mark) for mark in args[1:] if isinstance(mark, Meta)]
        return Annotated[(_meant(args[0]), *limits)] if limits else _meant(args[0])
    if origin in (Union, UnionType):
        return Union[tuple(map(_meant, args))]  # noqa: UP007 - of as many as there are
    if origin in (dict, list):
        return GenericAlias(origin, tuple(map(_meant, args)))
    return pydantic_model(annotation) if _is_model(annotation) else annotation


def _is_model(annotation: Any) -> TypeGuard[type[Struct]]:
    return isinstance(annotation, type) and issubclass(annotation, Struct)


def _limit(mark: Meta) -> Any:
    return Field(pattern=mark.pattern, min_length=mark.min_length, max_length=mark.max_length)
