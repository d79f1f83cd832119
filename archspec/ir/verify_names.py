"""Rules of names and numbers: a name can be written in code, and a number is what its writing says."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from msgspec import Struct

from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.expr import Name
from archspec.dims.num import Num
from archspec.errors import Collector, Span
from archspec.ir.graph import Region
from archspec.ir.op import Op
from archspec.ir.scope import Scope
from archspec.ir.types import DTYPES, TensorType

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NUMBERED = re.compile(r"\.\d+\Z")


class Findings(Struct, frozen=True):
    """Where findings go, with the path of the region they are about."""

    collector: Collector
    path: str

    def add(self, code: str, message: str, span: Span | None = None, hint: str | None = None) -> None:
        where = f"in '{self.path}': " if self.path else ""
        self.collector.add(code, where + message, span, hint)

    def has(self, code: str) -> bool:
        return any(found.code == code for found in self.collector.diagnostics)

    def below(self, name: str) -> Findings:
        return Findings(self.collector, f"{self.path}.{name}" if self.path else name)


def check_identifiers(found: Findings, what: str, names: Iterable[str], span: Span | None = None) -> None:
    """I112: a name that Python code cannot use. A module may stand in a list: `layer.0`."""
    for name in names:
        name = _NUMBERED.sub("", name) if what == "module" else name
        if not _IDENTIFIER.match(name):
            found.add("I112", f"the {what} '{name}' is not an identifier", span)
        elif keyword.iskeyword(name):
            found.add("I112", f"the {what} '{name}' is a word of Python", span)


def check_distinct(found: Findings, what: str, names: Iterable[str], code: str = "I111") -> None:
    """I111: two siblings of one name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            found.add(code, f"two of one name: {what} '{name}'")
        seen.add(name)


def check_bindings(found: Findings, region: Region, outer: Scope) -> Scope:
    """I117 for bindings, which are written with names from around or before them; the scope inside."""
    scope = outer.inside()
    check_distinct(found, "binding", [name for name, _ in region.bindings])
    check_identifiers(found, "binding", [name for name, _ in region.bindings])
    around = set(outer.names())
    for name, setting in region.bindings:
        for number in numbers(setting):
            check_symbols(found, f"binding '{name}'", number, scope)
            says_itself = number.expr == Name(name) and name not in around
            if not says_itself and not outer.tells(number):
                check_writing(found, f"binding '{name}'", number, scope)
        scope.bindings[name] = setting
    return scope


def check_number(found: Findings, what: str, number: Num, scope: Scope, span: Span | None = None) -> None:
    """I117 and I118."""
    check_symbols(found, what, number, scope, span)
    check_writing(found, what, number, scope, span)


def check_symbols(found: Findings, what: str, number: Num, scope: Scope, span: Span | None = None) -> None:
    """I118: a run-time size that is none of the graph's."""
    unknown = poly.symbols(number.value) - scope.dims if isinstance(number.value, poly.Poly) else ()
    for name in sorted(unknown):
        found.add("I118", f"{what} depends on '{name}', which is no run-time size of the graph", span)


def check_writing(found: Findings, what: str, number: Num, scope: Scope, span: Span | None = None) -> None:
    """I117: a writing that is not the value."""
    again = scope.value(number.expr)
    if again is None:
        found.add("I117", f"{what} is written '{number}', which has no value here", span)
    elif not n.same(again, number):
        problem = f"{what} is {n.num(number.value)}, but its writing '{number}' says {n.num(again.value)}"
        found.add("I117", problem, span)


def check_type(found: Findings, what: str, type_: TensorType, scope: Scope, span: Span | None = None) -> None:
    """I122: a dtype there is not; I113: a size that is not a whole number from 0 up; and its numbers."""
    if type_.dtype not in DTYPES:
        found.add("I122", f"{what} has the unknown dtype '{type_.dtype}'", span)
    for size in type_.shape:
        check_number(found, f"a size of {what}", size, scope, span)
        if size.static and not (float(size.real).is_integer() and size.real >= 0):
            found.add("I113", f"{what} has the size {size.described()}", span)


def shown(types: Sequence[TensorType]) -> str:
    return ", ".join(map(str, types)) or "nothing"


def numbers(x: object) -> Iterator[Num]:
    """Every number in a setting or in the attributes of an operation."""
    if isinstance(x, Num):
        yield x
    elif isinstance(x, tuple):
        for item in cast("tuple[object, ...]", x):
            yield from numbers(item)
    elif isinstance(x, Op):
        for _, value in x.attributes():
            yield from numbers(value)
