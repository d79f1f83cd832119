"""Reads YAML 1.2 text into located nodes: core scalars only, bounded, and strict about traps.

Built on the events of PyYAML (libyaml where it is there); what a word means is decided in
`yaml_scalar.py`. There are no anchors, aliases, tags, merge keys or second documents: a file reads
the same from top to bottom as it looks. Time is linear in the input.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

from archspec.errors import Source, Span, SpecError, did_you_mean
from archspec.spec.node import Node
from archspec.spec.yaml_build import Builder
from archspec.spec.yaml_syntax import check_characters, check_tabs, fail, syntax_error

MAX_BYTES = 1 << 20

LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_file(path: Path) -> Node:
    """The document in a UTF-8 file of at most 1 MiB.

    Raises `SpecError`: `Y001` where the file cannot be read, `Y002` where it is not UTF-8, and what
    `load_text` raises.
    """
    return load_text(Source(str(path), _decode(path, _read(path))))


def load_text(source: Source) -> Node:
    """The document in a text, every node with its exact span. An empty document is null.

    Raises `SpecError` with all findings that could be collected: codes `Y003` to `Y019`.
    """
    if len(source.text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _too_large(Source(source.name, ""))
    check_characters(source)
    builder = Builder(source)
    try:
        for event in _events(source):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise syntax_error(source, error) from None
    except (ValueError, OverflowError) as error:  # the pure parser on "\Uffffffff"
        raise fail("Y007", f"not valid YAML: {error}", builder.last, "check the escapes after this") from None
    check_tabs(source, builder.opaque)
    return builder.finish()


def _events(source: Source) -> Iterator[yaml.Event]:
    return cast("Iterator[yaml.Event]", yaml.parse(source.text, Loader=LOADER))


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise _unreadable(path, "is a directory" if stat.S_ISDIR(mode) else "is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(path, "does not exist") from None
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise _unreadable(path, f"cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise _too_large(Source(str(path), ""))
    return data


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        source = Source(str(path), data.decode("utf-8", "replace"))
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        span = Span(source, line, column, line, column + 1)
        message = f"not UTF-8: byte 0x{data[error.start]:02x} {error.reason}"
        raise fail("Y002", message, span, "save the file as UTF-8") from None


def _unreadable(path: Path, problem: str) -> SpecError:
    return fail("Y001", f"'{path}' {problem}", Span(Source(str(path), ""), 1, 1, 1, 1), _neighbour(path))


def _neighbour(path: Path) -> str | None:
    try:
        names = sorted(p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml"))
    except (OSError, ValueError):
        return None
    return did_you_mean(path.name, (name for name in names if name != path.name))


def _too_large(source: Source) -> SpecError:
    message = f"the document is larger than {MAX_BYTES >> 20} MiB"
    return fail("Y004", message, Span(source, 1, 1, 1, 1), "say repeated parts once, with blocks")
