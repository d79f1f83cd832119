"""Diagnostics as text for people (line, caret, hint) and as JSON for tools."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from archspec.errors import Diagnostic, Span

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_WIDTH = 100  # columns of source shown
_BEFORE = 40  # characters shown before the caret where a line is cut
_TAB = " " * 4
_INDENT = " " * 4
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_STYLES = {"where": "\x1b[1m", "code": "\x1b[1;31m", "caret": "\x1b[1;31m", "hint": "\x1b[36m"}


def render_text(diagnostics: Iterable[Diagnostic], color: bool = False) -> str:
    """`file:line:col: CODE message`, the source line, a caret line and the hint, for each diagnostic.

    Long lines are cut around the caret. Control characters are shown, never sent to the terminal.
    `color` adds ANSI colours. The text ends without a line break.
    """
    page = _Page(color)
    return "\n".join(line for found in list(diagnostics) for line in page.block(found))


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON list of `code, message, file, line, column, end_line, end_column, hint`; null where unknown."""
    return json.dumps([_record(found) for found in diagnostics], indent=2)


def _record(found: Diagnostic) -> dict[str, str | int | None]:
    span = found.span
    return {
        "code": found.code,
        "message": found.message,
        "file": span.source.name if span else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
        "hint": found.hint,
    }


@dataclass(frozen=True, slots=True)
class _Page:
    """Renders diagnostics of one run: each source is split into lines once."""

    color: bool
    sources: dict[int, list[str]] = field(default_factory=dict[int, list[str]])

    def block(self, found: Diagnostic) -> Iterator[str]:
        where = self.paint("where", _visible(f"{found.span}:")) + " " if found.span else ""
        yield f"{where}{self.paint('code', found.code)} {_visible(found.message)}"
        line = self.line(found.span) if found.span else None
        if found.span and line is not None:
            excerpt, before, length = _excerpt(line, found.span)
            yield f"{_INDENT}{excerpt}".rstrip()
            yield _INDENT + " " * before + self.paint("caret", "^" * length)
        for number, hint in enumerate((found.hint or "").splitlines()):
            yield f"  {self.paint('hint', '     ' if number else 'hint:')} {_visible(hint)}"

    def line(self, span: Span) -> str | None:
        text = span.source.text
        if not text:
            return None
        lines = self.sources.get(id(span.source)) or _LINE_BREAK.split(text)
        self.sources[id(span.source)] = lines
        return lines[span.line - 1] if 0 < span.line <= len(lines) else None

    def paint(self, style: str, text: str) -> str:
        return f"{_STYLES[style]}{text}\x1b[0m" if self.color else text


def _excerpt(line: str, span: Span) -> tuple[str, int, int]:
    """The part of a line around a span, the columns before the caret, and the caret's length."""
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    first = 0 if len(line) <= _WIDTH and _width(line) <= _WIDTH else max(0, start - _BEFORE)
    last = _last_shown(line, first)
    left, right = "…" * (first > 0), "…" * (last < len(line))
    shown = left + "".join(_cell(character) for character in line[first:last]) + right
    return shown, len(left) + _width(line[first:start]), max(1, _width(line[start : min(end, last)]))


def _last_shown(line: str, first: int) -> int:
    """Where the columns are used up."""
    room = _WIDTH
    for index in range(first, len(line)):
        room -= _width(line[index])
        if room < 0:
            return index
    return len(line)


def _cell(character: str) -> str:
    """What stands for a character: itself, spaces for a tab, `�` for what has no glyph."""
    if character == "\t":
        return _TAB
    return "�" if unicodedata.category(character) in _HIDDEN else character


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if character == "\t":
        return len(_TAB)
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _visible(text: str) -> str:
    """The text with `\\x1b` in place of what a terminal would obey."""
    return "".join(c if unicodedata.category(c) not in _HIDDEN else repr(c)[1:-1] for c in text)
