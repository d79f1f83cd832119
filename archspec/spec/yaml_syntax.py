"""Text that is not YAML at all: characters that are refused, and the parser's errors in plain words."""

from __future__ import annotations

import re
import unicodedata
from typing import Protocol

import yaml

from archspec.errors import Diagnostic, Source, Span, SpecError

LINE_BREAK = re.compile(r"\r\n|\r|\n")
# Not printable in YAML 1.2, or a line break for some readers and not for others (U+0085, U+2028, U+2029).
FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_COMMENT = re.compile(r"(^|(?<=[ \t]))#.*")


class Mark(Protocol):
    """A position of PyYAML: all three count characters from 0."""

    @property
    def index(self) -> int: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


def fail(code: str, message: str, span: Span, hint: str | None = None) -> SpecError:
    """A `SpecError` with one finding."""
    return SpecError(Diagnostic(code, message, span, hint))


def at_index(source: Source, index: int, length: int = 1) -> Span:
    """The one-line span that starts `index` characters into the text."""
    line, start = 1, 0
    for line_break in LINE_BREAK.finditer(source.text, 0, index):
        line, start = line + 1, line_break.end()
    column = index - start + 1
    return Span(source, line, column, line, column + length)


def describe(character: str) -> str:
    """`U+2028 LINE SEPARATOR`."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} {name}".rstrip()


def check_characters(source: Source) -> None:
    """Refuses a byte order mark, NUL and other control characters, and foreign line breaks (`Y003`)."""
    found = FORBIDDEN.search(source.text)
    if found is None:
        return
    hint = "delete it: it cannot be seen, and other readers may read it differently"
    if found.group() == "\ufeff" and found.start() == 0:
        hint = "save the file as UTF-8 without a byte order mark"
    message = f"the character {describe(found.group())} is not allowed"
    raise fail("Y003", message, at_index(source, found.start()), hint)


def check_tabs(source: Source, opaque: list[tuple[int, int]]) -> None:
    """Refuses a tab outside comments and `opaque` stretches: quoted strings, block scalars (`Y008`)."""
    if "\t" not in source.text:
        return
    for number, line in enumerate(LINE_BREAK.split(_masked(source.text, opaque)), start=1):
        column = _COMMENT.sub("", line).find("\t") + 1
        if column:
            raise _tab(Span(source, number, column, number, column + 1))


def _masked(text: str, opaque: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in opaque:
        pieces += [text[position:start], re.sub(r"[^\r\n]", "x", text[start:end])]
        position = end
    return "".join([*pieces, text[position:]])


def _tab(span: Span) -> SpecError:
    return fail("Y008", "a tab is used as white space", span, "indent and align with spaces")


def syntax_error(source: Source, error: yaml.MarkedYAMLError) -> SpecError:
    """The parser's error as a located finding (`Y007`, or a code that says more)."""
    mark: Mark | None = error.problem_mark or error.context_mark
    problem = error.problem or "it cannot be read"
    if mark is None:
        return fail("Y007", f"not valid YAML: {problem}", Span(source, 1, 1, 1, 2))
    if "end of stream" in problem and "quoted" in (error.context or ""):
        span = _span(source, error.context_mark or mark)
        return fail("Y007", "this quote is never closed", span, "close the string with the same quote")
    known = _known_character(source, mark, problem)
    if mark.index >= len(source.text) or "simple key" in (error.context or ""):
        mark = error.context_mark or mark
    return known or fail("Y007", f"not valid YAML: {_words(error)}", _span(source, mark), _hint(problem))


def _span(source: Source, mark: Mark) -> Span:
    return Span(source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)


def _words(error: yaml.MarkedYAMLError) -> str:
    words = f"{error.problem} {error.context or ''}".strip()
    opened: Mark | None = error.context_mark
    line = f" that starts on line {opened.line + 1}" if opened and "while parsing a" in words else ""
    return re.sub("(could|did) not find expected", "expected", words) + line


def _known_character(source: Source, mark: Mark, problem: str) -> SpecError | None:
    line = source.text[mark.index - mark.column :]
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    character = source.text[mark.index : mark.index + 1]
    span = _span(source, mark)
    if "\t" in indent:
        return _tab(Span(source, span.line, indent.index("\t") + 1, span.line, indent.index("\t") + 2))
    if character == "\t":
        return _tab(span)
    if character == "%" and mark.column == 0:
        return directive(span)
    if character == "!":
        return fail("Y012", "a tag is used", span, "drop it: the language has no tags")
    if character and character in "@`%" and "cannot start any token" in problem:
        return fail("Y007", f"a value cannot start with '{character}'", span, "quote the value")
    return None


def directive(span: Span) -> SpecError:
    """A `%YAML` or `%TAG` line (`Y019`)."""
    return fail("Y019", "a YAML directive is used", span, "drop the line: a spec is always YAML 1.2")


_HINTS = {
    "mapping values are not allowed": "check the indentation, and quote a value that contains ': '",
    "unexpected ':'": "put a space after the colon, or quote the text",
    "expected ':'": "write 'key: value', with a colon and a space",
    "expected ',' or": "close the bracket, or quote a value that contains brackets, braces or commas",
    "expected <block end>": "align this line with its neighbours above",
    "expected key": "align this line with its neighbours above",
    "expected '-' indicator": "align this line with its neighbours above",
    "escape": "use single quotes, or write the backslash twice",
    "end of stream": "the document ends too early",
}


def _hint(problem: str) -> str | None:
    return next((hint for words, hint in _HINTS.items() if words in problem), None)
