"""The components of the language, described from their fields."""

from __future__ import annotations

from msgspec import Struct, to_builtins

from archspec.components import COMPONENTS, Component, fields
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
    "score": "score",
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
    known = fields.arguments(kind).values()
    return Word(name, summary, tuple(Argument(a.name, _kind(a), _default(a)) for a in known))


def _kind(argument: fields.Argument) -> str:
    kind, nested = _KINDS.get(argument.slot.kind), argument.nested
    inner = fields.arguments(nested).values() if nested else ()
    group = "{" + ", ".join(f"{a.name}: {_kind(a)}" for a in inner) + "}"
    found = [group] if nested else [*([kind] if kind else []), *argument.words]
    return " | ".join(found) or "text"


def _default(argument: fields.Argument) -> str | None:
    return None if argument.required else _written(argument.default)


def _written(default: object) -> str:
    if isinstance(default, Num):
        return str(default)
    if isinstance(default, Init):
        return f"{default.kind}({', '.join(str(x) for x in (default.a, default.b) if x is not None)})"
    return str(default).lower() if isinstance(default, bool) else "null" if default is None else str(default)
