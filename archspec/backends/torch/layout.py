"""Lines of source as `ruff format` lays them out."""

from __future__ import annotations

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


def docstring(text: Sequence[str], indent: int) -> list[str]:
    """A docstring of one or more lines; what could end it early is defused."""
    pad = " " * indent
    lines = [line.replace("\\", "\\\\").replace('"""', "'''").rstrip() for line in text]
    if len(lines) == 1:
        closing = ' """' if lines[0].endswith('"') else '"""'
        return [f'{pad}"""{lines[0]}{closing}']
    return [f'{pad}"""{lines[0]}', *(pad + line if line else "" for line in lines[1:]), f'{pad}"""']
