"""Plain data against the classes that say what it may be: every mistake of form, with its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeAlias, Union, cast, get_args, get_origin

from msgspec import Struct, ValidationError, convert
from msgspec.structs import fields

from archspec.errors import did_you_mean

Path: TypeAlias = tuple[str, ...]
Mistake: TypeAlias = tuple[Path, str, str | None]  # where, what, and a hint
Table: TypeAlias = Mapping[str, object]


class ShortForm(Struct, frozen=True):
    """A group that may be written as a plain list, which then fills its field `short`."""

    short: ClassVar[str]


def mistakes(kind: Any, value: object, path: Path = ()) -> Iterator[Mistake]:
    """What is wrong with a value that should be of this kind, part by part."""
    value, inner = _long(kind, value), _inner(kind)
    if _is_group(inner, Struct) and isinstance(value, Mapping):
        yield from _group(inner, cast("Table", value), path)
    elif get_origin(inner) is dict and isinstance(value, Mapping):
        for key, item in cast("Table", value).items():
            yield from mistakes(get_args(inner)[1], item, (*path, key))
    else:
        yield from _unfit(kind, value, path)


def _group(kind: type[Struct], table: Table, path: Path) -> Iterator[Mistake]:
    known = {part.encode_name: part for part in fields(kind)}
    for key, item in table.items():
        if key in known:
            yield from mistakes(known[key].type, item, (*path, key))
        else:
            yield (*path, key), " is not known", did_you_mean(key, known) or f"known: {', '.join(known)}"
    missing = (name for name, part in known.items() if part.required and name not in table)
    yield from (((*path, name), ": it is missing", None) for name in missing)


def _unfit(kind: Any, value: object, path: Path) -> Iterator[Mistake]:
    try:
        convert(value, kind)
    except ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        yield path, f": {what[0].lower()}{what[1:]}" + (f" at {place.rstrip('`')}" if place else ""), None


def spelt_out(kind: Any, value: object) -> object:
    """The same value with every short form as a long one."""
    value, inner = _long(kind, value), _inner(kind)
    if not isinstance(value, Mapping):
        return value
    kinds = {part.encode_name: part.type for part in fields(inner)} if _is_group(inner, Struct) else {}
    each: Any = get_args(inner)[1] if get_origin(inner) is dict else Any
    return {key: spelt_out(kinds.get(key, each), item) for key, item in cast("Table", value).items()}


def _long(kind: Any, value: object) -> object:
    inner = _inner(kind)
    return {inner.short: value} if _is_list(value) and _is_group(inner, ShortForm) else value


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _inner(kind: Any) -> Any:
    """The kind without its metadata, and without None as an alternative."""
    if get_origin(kind) is Annotated:
        return _inner(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        some = [part for part in get_args(kind) if part is not type(None)]
        return _inner(some[0]) if len(some) == 1 else kind
    return kind


def _is_group(kind: Any, base: type[Struct]) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def described(kind: type[Struct]) -> dict[str, str]:
    """The keys of a group, and what is said of them."""
    return {part.encode_name: next(_texts(part.type), "") for part in fields(kind)}


def _texts(annotation: Any) -> Iterator[str]:
    return (text for text in getattr(annotation, "__metadata__", ()) if isinstance(text, str))
