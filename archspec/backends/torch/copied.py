"""Functions and classes that emitted source carries with it: the text of real code in `runtime/`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

RUNTIME = Path(__file__).parent / "runtime"
FILES = (
    "activation",
    "cache",
    "conv",
    "documents",
    "experts",
    "flex",
    "masks",
    "norm",
    "positions",
    "rope",
    "rows",
    "scan",
    "scatter",
    "windows",
)
_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


class Piece(Struct, frozen=True):
    """A class or function with the statements behind it, and the names that it reads."""

    lines: tuple[str, ...]
    reads: frozenset[str]


@cache
def runtime_source(name: str) -> tuple[str, ...]:
    """The lines of a class or function of the runtime folder, by `file.name`."""
    file, _, wanted = name.partition(".")
    return _pieces(file)[wanted].lines


def with_needed(names: Iterable[str]) -> tuple[str, ...]:
    """These classes and functions, each behind those of its file that it reads."""
    found: dict[str, None] = {}
    for name in names:
        _add(name, found, set())
    return tuple(found)


def _add(name: str, found: dict[str, None], seen: set[str]) -> None:
    """Adds what a name needs, then the name; two that need each other stand in either order."""
    file, _, wanted = name.partition(".")
    seen.add(name)
    for other in _pieces(file):
        if other in _pieces(file)[wanted].reads and f"{file}.{other}" not in seen:
            _add(f"{file}.{other}", found, seen)
    found.setdefault(name)


@cache
def runtime_names() -> frozenset[str]:
    """The names of all of them."""
    return frozenset(name for file in FILES for name in _pieces(file))


@cache
def _pieces(file: str) -> dict[str, Piece]:
    """The classes and functions of a file by name, in order."""
    text = (RUNTIME / f"{file}.py").read_text(encoding="utf-8")
    body = ast.parse(text).body
    starts = [i for i, node in enumerate(body) if isinstance(node, _DEFINITIONS)]
    ends = [*starts[1:], len(body)]
    return dict(_piece(body[i:end], text.splitlines()) for i, end in zip(starts, ends, strict=True))


def _piece(nodes: Sequence[ast.stmt], lines: Sequence[str]) -> tuple[str, Piece]:
    head = nodes[0]
    assert isinstance(head, _DEFINITIONS), "a piece begins with a definition"
    first = min([head.lineno, *(d.lineno for d in head.decorator_list)])
    reads = frozenset(x.id for node in nodes for x in ast.walk(node) if isinstance(x, ast.Name))
    return head.name, Piece(tuple(lines[first - 1 : nodes[-1].end_lineno]), reads)
