"""From a name or a path to a checked spec: the file, its parents, a preset, and params set by the caller."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import cast

from archspec import library
from archspec.errors import Collector, Diagnostic, LoweringError, Source, Span, SpecError
from archspec.lowering.lower import lower
from archspec.spec.extend import resolve
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Scalar, Sequence, kind
from archspec.spec.spec import Spec, read_spec
from archspec.spec.yaml import load_file, load_text

Override = tuple[str, Scalar | Sequence]


def load(
    spec: str | Path,
    *,
    preset: str | None = None,
    overrides: Mapping[str, object] | None = None,
    graph: str | None = None,
) -> Spec:
    """A spec by library name, or by path (a `Path`, or a text with a separator or a YAML suffix).

    A text among `overrides` is read as YAML, as behind `--set`; quote it twice to mean a string of words.
    Raises SpecError with all findings: S901 no such name, Y001 to Y019 for the text, P001 to P011 for
    `extends` and `patch`, S001 to S017 for the outline and the steps. Such a document is lowered as far as it
    goes, so that what is wrong with its meaning is said in the same breath.
    """
    path = nearby(_file(spec))
    node = load_file(path)
    if isinstance(node, Table):
        node = resolve(node, path, find=_parent, part=_part)
    found = Collector()
    read = read_spec(node, path=path, preset=preset, overrides=settings(overrides), graph=graph, found=found)
    if found.diagnostics:
        with suppress(LoweringError):
            lower(read, found)
        found.raise_if_any()
    return read


def settings(overrides: Mapping[str, object] | None) -> tuple[Override, ...]:
    """Params set by the caller, as nodes. Raises SpecError where a value is no number, word or list."""
    return tuple(_override(name, value) for name, value in (overrides or {}).items())


def _file(spec: str | Path) -> Path:
    return Path(spec) if isinstance(spec, Path) or is_path(spec) else library.find(spec)


def is_path(name: str) -> bool:
    """Whether a text names a file, and no spec of the library."""
    separators = (os.sep, os.altsep or os.sep)
    return name.endswith((".yaml", ".yml")) or any(mark in name for mark in separators)


def nearby(path: Path) -> Path:
    """The path from the working directory where the file lies below it: short names in messages."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _parent(name: str, path: Path | None, span: Span) -> tuple[Table, Path | None]:
    """The document that `extends` names, and its path. A wrong name is found where it stands."""
    return _other(name, path, span, library.find)


def _part(name: str, path: Path | None, span: Span) -> tuple[Table, Path | None]:
    """The document that `use` names, and its path."""
    return _other(name, path, span, library.find_part)


def _other(
    name: str, path: Path | None, span: Span, find: Callable[[str], Path]
) -> tuple[Table, Path | None]:
    try:
        file = nearby(_beside(name, path, span) if is_path(name) else find(name))
        node = load_file(file)
    except SpecError as error:
        raise SpecError(*(_at(found, span) for found in error.diagnostics)) from None
    if not isinstance(node, Table):
        raise SpecError(Diagnostic("S003", f"a spec is a mapping, not {kind(node)}", node.span))
    return node, file


def _beside(name: str, path: Path | None, span: Span) -> Path:
    folder = path.parent if path else Path()
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        hint = "name a file beside this one, or below it, or a spec of the library"
        raise SpecError(Diagnostic("P011", f"'{name}' leads out of the folder of this document", span, hint))
    return file


def _at(found: Diagnostic, span: Span) -> Diagnostic:
    """A finding about a whole file, moved to where that file is named."""
    if found.code not in ("S901", "Y001"):
        return found
    return Diagnostic(found.code, found.message, span, found.hint)


def _override(name: str, value: object) -> Override:
    text = value if isinstance(value, str) else _written(name, value)
    node = load_text(Source(f"--set {name}={text}", text))
    if isinstance(node, Table) or not text.strip():
        hint = "null is written 'null'; a list is '[a, b]'"
        shown = "nothing" if not text.strip() else kind(node)
        message = f"'{name}' is a number, a word or a list, not {shown}"
        raise SpecError(Diagnostic("S003", message, node.span, hint))
    return name, node


def _written(name: str, value: object) -> str:
    """A Python value as YAML."""
    if isinstance(value, list | tuple):
        items = cast("list[object]", value)
        return f"[{', '.join(_written(name, item) for item in items)}]"
    if isinstance(value, float) and not isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
    if value is None or isinstance(value, bool | int | float | str):
        return json.dumps(value)
    message = f"'{name}' is a number, a word or a list, not {type(value).__name__}"
    raise SpecError(Diagnostic("S003", message))
