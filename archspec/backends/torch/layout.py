"""Lines of source as `ruff format` lays them out."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise

WIDTH = 110


def fits(line: str, indent: int = 0) -> bool:
    return indent + len(line) <= WIDTH


def commented(line: str, comment: str | None) -> str:
    """The line with a comment behind it, where both fit."""
    full = f"{line}  # {comment}"
    return full if comment and len(full) <= WIDTH else line


def wrapped(head: str, items: Sequence[str], tail: str, indent: int) -> list[str]:
    """`head(items)tail` on one line, or its items on the next one, or one item a line with a comma behind."""
    pad, joined = " " * indent, ", ".join(items)
    if fits(head + joined + tail, indent) or not items:
        return [pad + head + joined + tail]
    if fits(joined, indent + 4):
        return [pad + head, f"{pad}    {joined}", pad + tail]
    return [pad + head, *(line for item in items for line in element(item, indent + 4)), pad + tail]


def element(text: str, indent: int) -> list[str]:
    """An item of a list, with its comma, on as many lines as it needs."""
    *before, last = _broken(text, indent, room=1)
    return [*before, f"{last},"]


def statement(head: str, text: str, indent: int, comment: str | None = None) -> list[str]:
    """`head` and an expression, on one line if it fits, else what its last bracket holds apart."""
    pad = " " * indent
    if fits(head + text, indent):
        return [commented(pad + head + text, comment)]
    found = re.fullmatch(r"(.*[)\]])(\.\w+)", text)
    body, attribute = (found[1], found[2]) if found else (text, "")
    opened = _last_bracket(body)
    empty = opened == len(body) - 2 and head
    if opened is None or empty:
        return [f"{pad}{head}(", *_broken(text, indent + 4), f"{pad})"]
    literal = body[opened] == "[" or (opened == 0 and len(split_arguments(body[1:-1])) > 1)
    inside = _listed(body[opened + 1 : -1], indent + 4, apart=literal)
    return [f"{pad}{head}{body[: opened + 1]}", *inside, f"{pad}{body[-1]}{attribute}"]


def condition(word: str, test: str, indent: int) -> list[str]:
    """`if test:`, the values that something is compared with a line each where they are too long for one."""
    pad = " " * indent
    if fits(f"{word} {test}:", indent):
        return [f"{pad}{word} {test}:"]
    head, among, values = test.partition(" in (")
    if among and _last_bracket(f"({values}") == 0:
        inside = _listed(values[:-1], indent + 4, apart=True)
        return [f"{pad}{word} {head}{among}", *inside, f"{pad}):"]
    *lines, last = statement(f"{word} ", test, indent)
    return [*lines, f"{last}:"]


def _listed(text: str, indent: int, *, apart: bool) -> list[str]:
    """What a bracket holds: on one line if it fits, unless it is a literal; else an item a line."""
    items = split_arguments(text)
    loop = any(text.startswith(" for ", position) for position in _outside(text))
    if loop or (len(items) == 1 and not apart):
        return _broken(text, indent)
    if fits(text, indent) and not apart:
        return [" " * indent + text]
    return [line for item in items for line in element(item, indent)]


def _broken(text: str, indent: int, room: int = 0) -> list[str]:
    """An expression inside brackets: at its loosest operators, then at its last bracket."""
    if fits(text, indent + room):
        return [" " * indent + text]
    for signs in _OPERATORS:
        cuts = [0, *(p for p in _outside(text) if text.startswith(signs, p)), len(text)]
        if len(cuts) > 2:
            return [line for a, b in pairwise(cuts) for line in _broken(text[a:b].strip(), indent)]
    return statement("", text, indent) if _last_bracket(text) is not None else [" " * indent + text]


# Loosest first. Operators stand between spaces.
_OPERATORS = (
    (" for ",), (" if ", " else "), (" or ",), (" and ",), (" == ", " != ", " < ", " <= ", " > ", " >= "),
    (" | ",), (" & ",), (" + ", " - "), (" * ", " / ", " // ", " % ", " @ "),
)  # fmt: skip


def _last_bracket(text: str) -> int | None:
    """Where the bracket opens that closes at the very end: a call's, or one around all of it."""
    if not text.endswith((")", "]")):
        return None
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        depth += _nesting(text[position])
        if depth == 0:
            called = text[position] == "(" and re.match(r"\w", text[position - 1 : position])
            return position if called or position == 0 else None
    return None


def split_arguments(text: str) -> list[str]:
    """Arguments at the top level of a call."""
    cuts = [-1, *(position for position in _outside(text) if text[position] == ","), len(text)]
    return [text[a + 1 : b].strip() for a, b in pairwise(cuts)]


def _outside(text: str) -> Iterator[int]:
    """Positions that are in no bracket and in no string."""
    depth, quoted = 0, False
    for position, character in enumerate(text):
        quoted ^= character == '"'
        depth += 0 if quoted else _nesting(character)
        if depth == 0 and not quoted:
            yield position


def _nesting(character: str) -> int:
    return {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(character, 0)


def docstring(text: Sequence[str], indent: int) -> list[str]:
    """A docstring of these lines. Nothing in them can end it, whatever they hold."""
    pad = " " * indent
    given = [part for line in text for part in line.splitlines() or [""]]
    first, *rest = [_safe(part) for line in given for part in _folded(line, WIDTH - indent - 8)]
    opening = '""" ' if first.startswith('"') else '"""'
    closing = ' """' if first.endswith('"') else '"""'
    if not rest:
        return [pad + opening + first + closing]
    return [pad + opening + first, *(pad + line if line else "" for line in rest), f'{pad}"""']


def _folded(line: str, width: int) -> list[str]:
    """A line in pieces of at most `width`, later ones under the first one's text."""
    head = re.match(r"\w+ {2,}", line)
    under = " " * (head.end() if head else 0)
    fold = textwrap.TextWrapper(
        width, subsequent_indent=under, break_long_words=False, break_on_hyphens=False
    )
    return fold.wrap(line) or [""]


def _safe(line: str) -> str:
    """The text as a docstring can hold it: no end of string, no escape, nothing invisible."""
    shown = line.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)
