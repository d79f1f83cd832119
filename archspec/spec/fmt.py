"""Canonical layout of a spec: same values, same comments, the least surprising text.

Two spaces per level, one space after `:`, `-` and `,`, none inside brackets, at most one blank line, no
space at the end of a line. What people align stays aligned: values of neighbouring lines, and comments.
Words, quotes, line breaks and the order of keys are the author's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

from msgspec import Struct

from archspec.errors import Diagnostic, InternalError, Source, SpecError
from archspec.spec.fmt_pieces import BLOCK_STYLES, Piece, pieces
from archspec.spec.node import plain
from archspec.spec.yaml import load_text
from archspec.spec.yaml_syntax import LINE_BREAK

_BLANK = ("", False)
_QUOTES = ("'", '"')
_FAR = 2  # a comment farther than this from its line is aligned with others


def format_text(source: Source) -> str:
    """The text in canonical layout; formatting it again changes nothing.

    Raises `SpecError` where the text does not load, and `InternalError` (`Y020`) where the result would
    not mean the same: then nothing may be written.
    """
    before = repr(plain(load_text(source)))
    text = Layout(LINE_BREAK.sub("\n", source.text)).text()
    try:
        after = repr(plain(load_text(Source(source.name, text))))
    except SpecError as error:
        raise _changed(source, str(error.diagnostics[0])) from error
    if after != before:
        raise _changed(source, "the values differ")
    return text


def _changed(source: Source, reason: str) -> InternalError:
    message = f"formatting '{source.name}' would change its meaning: {reason}"
    return InternalError(Diagnostic("Y020", message, None, "please report this file"))


class Layout:
    """One text on its way to canonical layout, line by line."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._pieces = list(pieces(text))
        self._starts: defaultdict[int, list[Piece]] = defaultdict(list)
        self._inner: dict[int, Piece] = {}  # further lines of a token that has several
        for piece in self._pieces:
            self._starts[piece.line].append(piece)
            self._inner.update(dict.fromkeys(range(piece.line + 1, piece.end_line + 1), piece))
        self._gaps = _aligned_gaps(self._pieces)

    def text(self) -> str:
        rows: list[tuple[str, bool]] = []  # a line, and whether it is the inside of a token
        for number in range(len(self._lines)):
            row = (self._line(number), number in self._inner)
            if row != _BLANK or (rows and rows[-1] != _BLANK):
                rows.append(row)
        while rows and rows[-1] == _BLANK:
            rows.pop()
        return "\n".join(line for line, _ in rows) + self._line_break() if rows else ""

    def _line_break(self) -> str:
        """Ends the text, except where it would become part of a block scalar that ends without one."""
        inside = self._inner.get(len(self._lines) - 1)
        return "" if inside and inside.style in BLOCK_STYLES else "\n"

    def _line(self, number: int) -> str:
        last = self._inner.get(number)
        if last is None and not self._starts[number]:
            return self._comment_line(number)
        out = "" if last is None else self._further(number, last)
        for piece in self._starts[number]:
            out += " " * piece.indent if last is None else self._gap(last, piece)
            out += self._first(piece)
            last = piece
        assert last is not None
        return out if last.end_line > number else self._with_comment(out, number, last.end_column)

    def _first(self, piece: Piece) -> str:
        line = self._lines[piece.line]
        if piece.end_line == piece.line:
            return line[piece.column : piece.end_column]
        return line[piece.column :] if piece.style in _QUOTES else line[piece.column :].rstrip()

    def _further(self, number: int, piece: Piece) -> str:
        """A further line of a token: what stands in the token, moved with it."""
        end = piece.end_column if number == piece.end_line else None
        line = self._lines[number][:end]
        if piece.is_alone and piece.style not in BLOCK_STYLES:
            return (" " * piece.indent + line.lstrip(" ")) if line.strip() else ""
        if piece.shift >= 0:
            return " " * piece.shift + line if line else ""
        spaces = len(line) - len(line.lstrip(" "))
        return line[min(spaces, -piece.shift) :]

    def _gap(self, left: Piece, right: Piece) -> str:
        if left.role == ":":
            return " " * self._gaps.get(left, 1)
        glued = left.role == "open" or right.role in ("close", ",", ":")
        return "" if glued else " "

    def _with_comment(self, code: str, number: int, end: int) -> str:
        """The line with the comment that follows it: where it was, if that still leaves a gap."""
        line = self._lines[number]
        comment = line[end:].strip()
        if not comment:
            return code
        column = line.index("#", end)
        gap = column - end
        if code != line[:end] and gap > _FAR:
            gap = max(_FAR, column - len(code))
        return code + " " * gap + comment

    def _comment_line(self, number: int) -> str:
        comment = self._lines[number].strip()
        if not comment:
            return ""
        column = self._lines[number].index("#")
        at = bisect_left(self._pieces, number, key=lambda piece: piece.line)
        above = self._pieces[at - 1] if at else None
        below = self._pieces[at] if at < len(self._pieces) else None
        return " " * max(0, self._comment_column(column, above, below)) + comment

    def _comment_column(self, column: int, above: Piece | None, below: Piece | None) -> int:
        """A comment moves with the line below it; with the line above where it stands in that column."""
        if above is None:
            return column + below.indent - below.column if below else column
        if above.in_flow:
            return column + above.shift
        first = self._starts[above.line][0]
        moved = column + below.indent - below.column if below else column
        if first.column == column and not (below and below.column == column):
            moved = first.indent
        if above.style in BLOCK_STYLES:  # deeper, it would become text
            moved = min(moved, column + above.shift)
        return moved


def _aligned_gaps(found: list[Piece]) -> dict[Piece, int]:
    """Per colon, the spaces after it where neighbouring lines start their values in one column."""
    runs: list[list[_Row]] = []
    for key, colon, value in zip(found, found[1:], found[2:], strict=False):
        if key.is_key and not key.in_flow and colon.role == ":" and key.line == value.line:
            row = _Row(colon, key.indent, key.end_column - key.column, value.column - colon.end_column)
            if runs and row.is_aligned_below(runs[-1][-1]):
                runs[-1].append(row)
            else:
                runs.append([row])
    spare = [min(row.gap for row in run) - 1 if len(run) > 1 else run[0].gap - 1 for run in runs]
    return {row.colon: row.gap - more for run, more in zip(runs, spare, strict=True) for row in run}


class _Row(Struct, frozen=True):
    """A key with its value on one line."""

    colon: Piece
    indent: int
    key_length: int
    gap: int

    def is_aligned_below(self, above: _Row) -> bool:
        columns = (self.indent, self.key_length + self.gap) == (above.indent, above.key_length + above.gap)
        return columns and self.colon.line == above.colon.line + 1
