"""Reads JSON into located nodes, so that a finding can point at the field it is about."""

from __future__ import annotations

from bisect import bisect_right
from json import JSONDecodeError, JSONDecoder
from math import inf, isfinite
from pathlib import Path
from typing import cast

from archspec.errors import Diagnostic, Source, Span, SpecError
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind

MAX_BYTES = 1 << 24
MAX_DEPTH = 32
INFINITE = {"Infinity": inf, "-Infinity": -inf}  # no JSON, but what Python writes


def load_config(path: Path) -> Mapping:
    """The JSON object in a file.

    Raises SpecError C001: it cannot be read, is larger than 16 MiB, is not JSON, or holds no object.
    """
    source = Source(str(path), _text(path))
    reader = _Reader(source)
    node = reader.document()
    if not isinstance(node, Mapping):
        raise reader.fail(f"a configuration is an object, not {kind(node)}", 0)
    return node


def _text(path: Path) -> str:
    place = Span(Source(str(path), ""), 1, 1, 1, 1)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SpecError(Diagnostic("C001", f"it is larger than {MAX_BYTES >> 20} MiB", place))
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SpecError(Diagnostic("C001", "it is not UTF-8", place)) from None
    except OSError as error:
        raise SpecError(Diagnostic("C001", f"it cannot be read: {error.strerror or error}", place)) from None


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source, self.text = source, source.text
        self.lines = [0, *(at + 1 for at, sign in enumerate(self.text) if sign == "\n")]
        self.decoder = JSONDecoder(parse_constant=_constant)

    def document(self) -> Node:
        node, end = self.value(self.skip(0), 0)
        if self.skip(end) < len(self.text):
            raise self.fail("there is more text behind the end", self.skip(end))
        return node

    def value(self, at: int, depth: int) -> tuple[Node, int]:
        """The value that begins at an offset, and where it ends. Raises SpecError."""
        if depth > MAX_DEPTH:
            raise self.fail(f"it nests more than {MAX_DEPTH} levels deep", at)
        sign = self.text[at : at + 1]
        if sign == "{":
            return self.mapping(at, depth)
        return self.sequence(at, depth) if sign == "[" else self.scalar(at)

    def mapping(self, at: int, depth: int) -> tuple[Mapping, int]:
        entries: dict[str, tuple[Scalar, Node]] = {}
        place, more = self.inside(at, "}")
        while more:
            key, end = self.scalar(place)
            if not isinstance(key.value, str):
                raise self.fail("a key is a text", place)
            if key.value in entries:
                raise self.fail(f"'{key.value}' stands twice", place)
            node, end = self.value(self.skip(self.expect(self.skip(end), ":")), depth + 1)
            entries[key.value] = (key, node)
            place, more = self.next(end, "}")
        return Mapping(tuple(entries.values()), self.span(at, place)), place

    def sequence(self, at: int, depth: int) -> tuple[Sequence, int]:
        items: list[Node] = []
        place, more = self.inside(at, "]")
        while more:
            item, end = self.value(place, depth + 1)
            items.append(item)
            place, more = self.next(end, "]")
        return Sequence(tuple(items), self.span(at, place)), place

    def scalar(self, at: int) -> tuple[Scalar, int]:
        try:
            value, end = cast("tuple[object, int]", self.decoder.raw_decode(self.text, at))
        except JSONDecodeError as error:
            raise self.fail(f"not valid JSON: {error.msg.lower()}", error.pos) from None
        except ValueError as error:
            raise self.fail(f"not valid JSON: {error}", at) from None
        if isinstance(value, float) and not isfinite(value) and self.text[at:end] not in INFINITE:
            raise self.fail("this number is out of range", at)
        if not isinstance(value, bool | int | float | str | None):
            raise self.fail("a text, a number, true, false or null was expected", at)
        return Scalar(value, self.text[at:end], self.span(at, end), isinstance(value, str)), end

    def inside(self, at: int, closing: str) -> tuple[int, bool]:
        """The place of the first entry, or the end of an empty collection."""
        place = self.skip(at + 1)
        return (place + 1, False) if self.text[place : place + 1] == closing else (place, True)

    def next(self, end: int, closing: str) -> tuple[int, bool]:
        """The place of the next entry, or the end of the collection."""
        place = self.skip(end)
        if self.text[place : place + 1] == closing:
            return place + 1, False
        return self.skip(self.expect(place, ",")), True

    def expect(self, at: int, sign: str) -> int:
        if self.text[at : at + 1] != sign:
            raise self.fail(f"not valid JSON: '{sign}' was expected", at)
        return at + 1

    def skip(self, at: int) -> int:
        while self.text[at : at + 1] in {" ", "\t", "\n", "\r"}:
            at += 1
        return at

    def span(self, at: int, end: int) -> Span:
        return Span(self.source, *self.place(at), *self.place(end))

    def place(self, at: int) -> tuple[int, int]:
        """Line and column of an offset, from 1."""
        line = bisect_right(self.lines, at)
        return line, at - self.lines[line - 1] + 1

    def fail(self, message: str, at: int) -> SpecError:
        return SpecError(Diagnostic("C001", message, self.span(at, at + 1)))


def _constant(word: str) -> object:
    if word in INFINITE:
        return INFINITE[word]
    raise ValueError(f"{word} is no value of JSON")
