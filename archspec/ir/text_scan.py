"""The text of a graph as lines that own the lines below them, and a scanner that reads one line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar, cast

from archspec.errors import Diagnostic, Source, Span, VerifyError

MAX_CHARACTERS = 4_000_000
MAX_DEPTH = 64
_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_INDENT = "  "
T = TypeVar("T")


@dataclass(slots=True)
class Line:
    """One statement: its text without indentation, where it stands, and what belongs to it."""

    source: Source
    number: int
    column: int
    text: str
    below: list[Line] = field(default_factory=list["Line"])

    def fail(
        self, code: str, message: str, at: int = 0, length: int = 1, hint: str | None = None
    ) -> NoReturn:
        """Raises `VerifyError` at a place of this line."""
        start = self.column + min(at, len(self.text))
        span = Span(self.source, self.number, start, self.number, start + max(length, 1))
        raise VerifyError(Diagnostic(code, message, span, hint))


def outline(source: Source) -> list[Line]:
    """The statements that stand at the margin, each with those indented under it; blanks and `#` are skipped.

    Raises `VerifyError` I002 for indentation, I007 for a text that is too long or too deep.
    """
    if len(source.text) > MAX_CHARACTERS:
        Line(source, 1, 1, "").fail("I007", f"the text is longer than {MAX_CHARACTERS} characters")
    levels: list[list[Line]] = [[]]
    for number, raw in enumerate(source.text.split("\n"), 1):
        text = raw.strip(" ")
        if text and not text.startswith("#"):
            _place(levels, Line(source, number, len(raw) - len(raw.lstrip(" ")) + 1, text))
    return levels[0]


def _place(levels: list[list[Line]], line: Line) -> None:
    depth, odd = divmod(line.column - 1, len(_INDENT))
    if depth > MAX_DEPTH:
        line.fail("I007", f"statements nest deeper than {MAX_DEPTH} levels")
    if odd or depth >= len(levels):
        line.fail("I002", "unexpected indentation", hint="two spaces more than the line it belongs to")
    del levels[depth + 1 :]
    levels[depth].append(line)
    levels.append(line.below)


class Scanner:
    """Reads one line from left to right. Spaces between parts do not matter."""

    def __init__(self, line: Line) -> None:
        self.line, self.text, self.at = line, line.text, 0

    def fail(self, message: str, *, code: str = "I001", hint: str | None = None) -> NoReturn:
        self.skip()
        self.line.fail(code, message, self.at, hint=hint)

    def skip(self) -> None:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1

    def sees(self, text: str) -> bool:
        self.skip()
        return self.text.startswith(text, self.at)

    def accept(self, text: str) -> bool:
        found = self.sees(text)
        self.at += len(text) if found else 0
        return found

    def expect(self, text: str) -> None:
        if not self.accept(text):
            self.fail(f"expected '{text}' before {self.rest()}")

    def rest(self) -> str:
        left = self.text[self.at :].strip()
        return f"'{left[:20]}'" if left else "the end of the line"

    def keyword(self, word: str) -> bool:
        """Takes a word if it stands here whole."""
        self.skip()
        found = _WORD.match(self.text, self.at)
        return bool(found) and found.group() == word and self.accept(word)

    def atom(self, what: str = "a name") -> str:
        """A plain word, or text in double quotes."""
        if self.sees('"'):
            return self.string()
        found = _WORD.match(self.text, self.at)
        if not found:
            self.fail(f"expected {what} before {self.rest()}")
        self.at = found.end()
        return found.group()

    def string(self) -> str:
        self.skip()
        found = _STRING.match(self.text, self.at)
        if not found or found.group()[0] != '"':
            self.fail('expected text in "…"')
        try:
            value = cast("str", json.loads(found.group(), strict=False))
        except ValueError:
            self.fail("this text has an escape that JSON does not know")
        self.at = found.end()
        return value

    def integer(self) -> int:
        self.skip()
        found = _INTEGER.match(self.text, self.at)
        if not found:
            self.fail(f"expected a whole number before {self.rest()}")
        self.at = found.end()
        return int(found.group())

    def many(self, item: Callable[[], T], close: str) -> tuple[T, ...]:
        """Items between commas, up to and with `close`; at the end of the line where that is empty."""
        items: list[T] = []
        while not (self.accept(close) if close else self.ended()):
            if items:
                self.expect(",")
            items.append(item())
        return tuple(items)

    def until(self, stops: str) -> tuple[str, int]:
        """The text up to one of `stops` outside brackets and quotes, and where it begins; `=` is not `==`."""
        self.skip()
        start, depth = self.at, 0
        while self.at < len(self.text):
            here = self.text[self.at]
            if depth == 0 and here in stops and (here != "=" or self._assigns()):
                break
            depth += (here in "([") - (here in ")]")
            quote = _STRING.match(self.text, self.at) if here in "\"'" else None
            self.at = quote.end() if quote else self.at + 1
        return self.text[start : self.at].rstrip(" "), start

    def _assigns(self) -> bool:
        before, after = self.text[self.at - 1 : self.at], self.text[self.at + 1 : self.at + 2]
        return after != "=" and before not in ("=", "!", "<", ">")

    def ended(self) -> bool:
        self.skip()
        return self.at >= len(self.text)

    def expect_end(self) -> None:
        if not self.ended():
            self.fail(f"unexpected {self.rest()}")


class Statements:
    """The lines under one line, read in order."""

    def __init__(self, owner: Line, lines: list[Line]) -> None:
        self.owner, self.lines, self.at = owner, lines, 0

    def take(self, *words: str) -> Scanner | None:
        """The next line, past its first word, if that is one of `words`."""
        scan = Scanner(self.lines[self.at]) if self.at < len(self.lines) else None
        if scan is None or not any(scan.keyword(word) for word in words):
            return None
        self.at += 1
        return scan

    def each(
        self, words: tuple[str, ...], read: Callable[[Scanner], T], *, below: bool = False
    ) -> tuple[T, ...]:
        """What `read` makes of every next line that begins with one of `words`."""
        found: list[T] = []
        while scan := self.take(*words):
            found.append(_whole(scan, read, below))
        return tuple(found)

    def maybe(self, word: str, read: Callable[[Scanner], T], *, below: bool = False) -> T | None:
        scan = self.take(word)
        return None if scan is None else _whole(scan, read, below)

    def one(self, word: str, read: Callable[[Scanner], T], *, below: bool = False) -> T:
        scan = self.take(word)
        if scan is None:
            where = self.lines[self.at] if self.at < len(self.lines) else self.owner
            where.fail("I008", f"expected '{word} …' here")
        return _whole(scan, read, below)

    def others(self, begin: tuple[str, ...]) -> Iterator[Scanner]:
        """The next lines whose text begins with one of `begin`."""
        while self.at < len(self.lines) and self.lines[self.at].text.startswith(begin):
            self.at += 1
            yield Scanner(self.lines[self.at - 1])

    def expect_end(self) -> None:
        if self.at < len(self.lines):
            line = self.lines[self.at]
            line.fail("I008", f"'{line.text[:20]}' does not belong here", length=len(line.text[:20]))


def _whole(scan: Scanner, read: Callable[[Scanner], T], below: bool) -> T:
    found = read(scan)
    scan.expect_end()
    if scan.line.below and not below:
        scan.line.below[0].fail("I002", "nothing stands below this kind of statement")
    return found
