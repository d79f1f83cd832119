"""Functions and classes that emitted source carries with it: the text of real code in `runtime/`."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

RUNTIME = Path(__file__).parent / "runtime"
FILES = ("activation", "cache", "masks", "norm", "rope")


@cache
def runtime_source(name: str) -> tuple[str, ...]:
    """The lines of a class or function of the runtime folder, by `file.name`."""
    file, _, wanted = name.partition(".")
    lines = _text(file).splitlines()
    for node in _definitions(file):
        if node.name == wanted:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return tuple(lines[first - 1 : node.end_lineno])
    raise AssertionError(f"no runtime function {name}")


@cache
def runtime_names() -> frozenset[str]:
    """The names of all of them."""
    return frozenset(node.name for file in FILES for node in _definitions(file))


@cache
def _text(file: str) -> str:
    return (RUNTIME / f"{file}.py").read_text(encoding="utf-8")


@cache
def _definitions(file: str) -> tuple[ast.FunctionDef | ast.ClassDef, ...]:
    return tuple(
        node for node in ast.parse(_text(file)).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    )
