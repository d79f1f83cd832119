"""Located, coded diagnostics: the one way archspec says that something is wrong.

Every error a user can cause is an `ArchspecError` that carries one or more `Diagnostic`s. A code
is stable and is explained under the heading of the same name in `archspec/explain.md`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from msgspec import Struct


class Source(Struct, frozen=True):
    """A text that diagnostics point into: a file, or something typed, such as `--set`."""

    name: str
    text: str

    def __repr__(self) -> str:
        return f"Source({self.name!r}, …)"


class Span(Struct, frozen=True):
    """A stretch of a source. Lines and columns start at 1; the end is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def shifted(self, start: int, length: int) -> Span:
        """The part of a one-line span that begins `start` characters in."""
        if self.line != self.end_line:
            return self
        column = min(self.column + start, max(self.column, self.end_column - 1))
        return Span(
            self.source, self.line, column, self.line, max(column + 1, min(column + length, self.end_column))
        )

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


class Diagnostic(Struct, frozen=True):
    """One finding: a stable code, what is wrong, where, and what to do about it."""

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.span}: " if self.span else ""
        return f"{where}{self.code} {self.message}" + (f" ({self.hint})" if self.hint else "")


class ArchspecError(Exception):
    """The root of the tree; `diagnostics` holds every finding, in document order."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("\n".join(str(d) for d in diagnostics))
        self.diagnostics = diagnostics


class SpecError(ArchspecError):
    """The document is not a valid spec."""


class LoweringError(ArchspecError):
    """The spec is well formed, but its parts do not fit together."""


class VerifyError(ArchspecError):
    """An IR graph breaks a rule of the IR."""


class UnsupportedError(ArchspecError):
    """A backend does not compute what is asked, and says so."""


class WeightsError(ArchspecError):
    """Tensors do not match the model that should take them."""


class InternalError(ArchspecError):
    """archspec is at fault, not the spec."""


class Collector:
    """Gathers diagnostics so that all findings of a document are shown together."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def add(self, code: str, message: str, span: Span | None = None, hint: str | None = None) -> None:
        found = Diagnostic(code, message, span, hint)
        if found not in self.diagnostics:
            self.diagnostics.append(found)

    def extend(self, error: ArchspecError) -> None:
        self.diagnostics.extend(d for d in error.diagnostics if d not in self.diagnostics)

    def raise_if_any(self, kind: type[ArchspecError] = SpecError) -> None:
        if self.diagnostics:
            raise kind(*sorted(self.diagnostics, key=_document_order))


def _document_order(found: Diagnostic) -> tuple[str, int, int]:
    return (found.span.source.name, found.span.line, found.span.column) if found.span else ("", 0, 0)


def did_you_mean(word: str, options: Iterable[str]) -> str | None:
    """`did you mean 'layernorm'?`, or None where nothing is close."""
    close = difflib.get_close_matches(word, list(options), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else None
