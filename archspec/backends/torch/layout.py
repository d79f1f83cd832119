"""Lines of source as `ruff format` lays them out."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

WIDTH = 110


def fits(line: str, indent: int = 0) -> bool:
    return indent + len(line) <= WIDTH


def wrapped(head: str, items: Sequence[str], tail: str, indent: int) -> list[str]:
    """`head(items)tail` on one line, or its items on the next one, or one item a line with a trailing comma."""
    pad, inner = " " * indent, " " * (indent + 4)
    line = f"{head}{', '.join(items)}{tail}"
    if fits(line, indent) or not items:
        return [pad + line]
    joined = ", ".join(items)
    if fits(joined, indent + 4):
        return [pad + head, inner + joined, pad + tail]
    return [pad + head, *(f"{inner}{item}," for item in items), pad + tail]


def commented(line: str, comment: str | None) -> str:
    """The line with a comment behind it, where both fit."""
    full = f"{line}  # {comment}"
    return full if comment and len(full) <= WIDTH else line


def _folded(line: str, width: int) -> list[str]:
    """A line in pieces of at most `width`, later ones under the first one's text."""
    head = re.match(r"\w+ {2,}", line)
    return textwrap.wrap(line, width, subsequent_indent=" " * (head.end() if head else 0)) or [""]


def docstring(text: Sequence[str], indent: int) -> list[str]:
    """A docstring of one or more lines; what could end it early is defused."""
    pad = " " * indent
    safe = [line.replace("\\", "\\\\").replace('"""', "'''").rstrip() for line in text]
    lines = [part for line in safe for part in _folded(line, WIDTH - indent - 8)]
    if len(lines) == 1:
        closing = ' """' if lines[0].endswith('"') else '"""'
        return [f'{pad}"""{lines[0]}{closing}']
    return [f'{pad}"""{lines[0]}', *(pad + line if line else "" for line in lines[1:]), f'{pad}"""']
