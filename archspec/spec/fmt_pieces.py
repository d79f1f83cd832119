"""A YAML text as pieces: every visible token with its place, its role, and the column it should start in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import yaml
from msgspec import Struct

from archspec.spec.yaml import LOADER
from archspec.spec.yaml_syntax import Mark

INDENT = 2
BLOCK_STYLES = ("|", ">")

_FLOW_STARTS = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
_FLOW_ENDS = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_SIGNS: dict[type[yaml.Token], str] = {
    yaml.BlockEntryToken: "-",
    yaml.KeyToken: "?",
    yaml.ValueToken: ":",
    yaml.FlowEntryToken: ",",
    yaml.FlowMappingStartToken: "open",
    yaml.FlowSequenceStartToken: "open",
    yaml.FlowMappingEndToken: "close",
    yaml.FlowSequenceEndToken: "close",
    yaml.DocumentStartToken: "document",
    yaml.DocumentEndToken: "document",
    yaml.ScalarToken: "scalar",
}


class Piece(Struct, frozen=True):
    """A token. Lines and columns count from 0; `indent` is its column where it begins a line.

    `shift` is what the further lines of the token, or of the brackets around it, move by. `in_flow`: what
    follows stands in brackets. `is_alone`: a value that begins a line of its own.
    """

    role: str
    style: str
    line: int
    column: int
    end_line: int
    end_column: int
    indent: int
    shift: int
    in_flow: bool
    is_key: bool
    is_alone: bool


@dataclass(slots=True)
class _Frame:
    """An open block collection: the column it stands in, and the one it should stand in."""

    column: int
    indent: int
    is_mapping: bool
    is_indentless: bool = False


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of a text that loads, in order."""
    return _Walk(text).run()


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._frames: list[_Frame] = []
        self._flow: list[int] = []  # the shifts of the open brackets
        self._key_comes = False
        self._line = -1  # the last line a piece stood on

    def run(self) -> Iterator[Piece]:
        for token in cast("Iterator[yaml.Token]", yaml.scan(self._text, Loader=LOADER)):
            self._frame(token)
            role = _SIGNS.get(type(token))
            if role is None:
                continue
            if token.start_mark.index == token.end_mark.index:  # a key without a question mark
                self._key_comes = True
                continue
            yield self._piece(token, role)

    def _frame(self, token: yaml.Token) -> None:
        """Opens and closes block collections. A list may stand in the column of its key, without a token."""
        top = self._frames[-1] if self._frames else None
        column = token.start_mark.column
        if isinstance(token, yaml.BlockMappingStartToken | yaml.BlockSequenceStartToken):
            self._open(column, isinstance(token, yaml.BlockMappingStartToken), False)
        elif isinstance(token, yaml.BlockEndToken):
            self._close_indentless()
            self._frames.pop()
        elif isinstance(token, yaml.BlockEntryToken) and top and top.is_mapping:
            self._open(column, False, True)
        elif isinstance(token, yaml.KeyToken) and not self._flow:
            self._close_indentless()

    def _open(self, column: int, is_mapping: bool, is_indentless: bool) -> None:
        indent = self._frames[-1].indent + INDENT if self._frames else 0
        self._frames.append(_Frame(column, indent, is_mapping, is_indentless))

    def _close_indentless(self) -> None:
        if self._frames and self._frames[-1].is_indentless:
            self._frames.pop()

    def _piece(self, token: yaml.Token, role: str) -> Piece:
        start = cast("Mark", token.start_mark)
        style = str(token.style or "") if isinstance(token, yaml.ScalarToken) else ""
        is_first = bool(self._frames) and not (self._flow or self._key_comes or start.line == self._line)
        is_alone = is_first and role == "scalar"
        indent, shift = self._place(start, role, style)
        is_key, self._key_comes = self._key_comes and role == "scalar", False
        if isinstance(token, _FLOW_STARTS):
            self._flow.append(shift)
        elif isinstance(token, _FLOW_ENDS):
            self._flow.pop()
        end_line, end_column = self._end(token, style)
        self._line = end_line
        place = (start.line, start.column, end_line, end_column, indent, shift)
        return Piece(role, style, *place, bool(self._flow), is_key, is_alone)

    def _place(self, start: Mark, role: str, style: str) -> tuple[int, int]:
        if self._flow:
            return max(0, start.column + self._flow[-1]), self._flow[-1]
        if role == "document" or not self._frames:
            return start.column, 0
        top = self._frames[-1]
        shift = top.indent - top.column
        if role in ("-", "?", ":") or self._key_comes:
            return top.indent, shift
        indent = top.indent + INDENT
        return indent, shift if start.line == self._line or style in BLOCK_STYLES else indent - start.column

    def _end(self, token: yaml.Token, style: str) -> tuple[int, int]:
        """Where the token ends; a block scalar without the blank lines after it, unless it keeps them."""
        start, end = cast("Mark", token.start_mark), cast("Mark", token.end_mark)
        if style not in BLOCK_STYLES:
            return end.line, end.column
        lines = self._text[start.index : end.index].removesuffix("\n").split("\n")
        blank = _blank_width(lines)
        while len(lines) > 1 and not lines[-1].strip() and len(lines[-1]) <= blank:
            lines.pop()
        return start.line + len(lines) - 1, len(lines[-1]) + (start.column if len(lines) == 1 else 0)


def _blank_width(lines: list[str]) -> int:
    """How many spaces a last line of a block scalar may have and mean nothing; -1 where every line counts."""
    header, *content = lines
    style = header.split("#")[0]
    if "+" in style:
        return -1
    if any(sign.isdigit() for sign in style):
        return 0
    widths = [len(line) - len(line.lstrip(" ")) for line in content if line.strip()]
    return min(widths, default=-1)
