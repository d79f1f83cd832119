"""The table of fields that cannot change what a model computes: `harmless.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import cast

from msgspec import Struct

from archspec.spec.node import Plain, plain
from archspec.spec.yaml import load_file

_TABLE = Path(__file__).with_name("harmless.yaml")


class Harmless(Struct, frozen=True):
    """`any`: fields of any value, with the reason. `only`: fields of one value. `counts`: a table's length.

    `parts`: parts of a system that are no models of it. `same`: words that name one function.
    """

    any: dict[str, str]
    only: dict[str, Plain]
    counts: dict[str, str]
    parts: dict[str, str]
    same: dict[str, str]

    def excuses(self, field: str, value: Plain) -> bool:
        """Whether a field with this value says nothing about what is computed."""
        return field in self.any or (field in self.only and _equal(self.only[field], value))

    def alike(self, word: str) -> tuple[str, ...]:
        """All words that mean the same, the given one first."""
        first = self.canonical(word)
        return (word, first, *(other for other, meant in self.same.items() if meant == first))

    def canonical(self, word: str) -> str:
        """The first of the words that mean the same."""
        return self.same.get(word, word)


@cache
def table() -> Harmless:
    """The table that is shipped with archspec."""
    content = cast("dict[str, dict[str, Plain]]", plain(load_file(_TABLE)))
    only = {name: cast("dict[str, Plain]", entry)["value"] for name, entry in content["only"].items()}
    same = {
        word: first for first, others in content["same"].items() for word in cast("dict[str, str]", others)
    }
    return Harmless(
        cast("dict[str, str]", content["any"]),
        only,
        cast("dict[str, str]", content["counts"]),
        cast("dict[str, str]", content["parts"]),
        same,
    )


def _equal(left: Plain, right: Plain) -> bool:
    """Equal as JSON is: `true` is not 1."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)
