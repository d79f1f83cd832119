"""Findings of lowering: the many ways a part can fail, turned into located diagnostics."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

from archspec.components.base import Problem
from archspec.dims.evaluate import EvalError
from archspec.dims.num import NumError, UnknownError
from archspec.dims.parse import ExprSyntaxError
from archspec.errors import Diagnostic, LoweringError, Span
from archspec.ir.types import ShapeError
from archspec.spec.node import Mapping, Node, Scalar

Fault = Problem | ShapeError | EvalError | ExprSyntaxError | NumError
FAULTS = (Problem, ShapeError, EvalError, ExprSyntaxError, NumError)

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_GROUPED = re.compile(r"\d[\d_,]*\d")


class Broken(Exception):
    """An operand failed earlier; what depends on it is left out without another finding."""


_HINTS = {
    "L010": "change what is given, or what is declared",
    "N001": "give it a value under 'params'",
    "N002": "operators take numbers, and tensors with tensors or numbers",
    "S007": "write it like 'normal(0.02)', 'uniform(-0.1, 0.1)' or 'zeros'",
    "S008": "write it like 'int64[B, S]' or '[B, S, hidden_size]'",
    "T005": "'rearrange' and 'unsqueeze' change the axes",
    "T006": "'cast' changes a dtype",
    "T009": "write it like 'b c h w -> b (h w) c'",
    "T011": "write a probability from 0 up, below 1",
    "N003": "functions of numbers take numbers, or one list",
    "N005": "before the model runs, only params and what follows from them are known",
    "N010": "write it as in '4*hidden_size' or 'max(a, b)'",
    "T001": "look at where the two values come from",
    "T002": "axes count from 0, or backwards from -1",
    "T003": "sizes must be equal, or 1; 'unsqueeze' and 'expand' make them fit",
    "T008": "change one of the numbers",
    "T012": "sizes of parameters must follow from params",
}
# Arithmetic without an answer has several reasons.
_REASONS = {
    "divides by zero": "look at where the divisor comes from",
    "out of range": "numbers stay below 2**63",
    "outside a list": "the first item is 0, the last one -1",
    "items": "write a shorter list, or a range",
    "has to be whole": "change one of the numbers it is made of",
    "whole number": "'//' divides without a remainder",
}


def diagnose(fault: Fault, span: Span, args: Mapping | None = None) -> Diagnostic:
    """The fault at its place: the field it names if `args` has it, else `span`."""
    if isinstance(fault, NumError):
        code, message, hint = "N005" if isinstance(fault, UnknownError) else "N004", str(fault), None
    elif isinstance(fault, ExprSyntaxError):
        code, message, hint = "N010", fault.message, fault.hint
    else:
        code, message, hint = fault.code, fault.message, fault.hint
    place = _field(fault.field, args) if isinstance(fault, Problem) else None
    reason = next((text for words, text in _REASONS.items() if code == "N004" and words in message), None)
    return Diagnostic(code, message, place or span, hint or reason or _HINTS.get(code))


def diagnose_in(node: Node, fault: Fault, args: Mapping | None = None) -> Diagnostic:
    """The fault of a text at the very word; where the fault names none, at all of the node."""
    if not isinstance(fault, EvalError | ExprSyntaxError):
        return diagnose(fault, node.span, args)
    if isinstance(fault, ExprSyntaxError) and fault.hint is None and isinstance(node, Scalar):
        fault.hint = _number_hint(str(node.value))
    return diagnose(fault, text_span(node, fault.at, fault.end))


@contextmanager
def located(node: Node, name: str | None = None) -> Generator[None]:
    """Faults of reading `node` become `LoweringError`s at their place; `name` is what it is read for."""
    try:
        yield
    except FAULTS as fault:
        raise LoweringError(_of(name, diagnose_in(node, fault))) from None


def _of(name: str | None, found: Diagnostic) -> Diagnostic:
    """The finding with the argument's name, unless it is about a word of an expression."""
    if name is None or not found.code.startswith("S"):
        return found
    return Diagnostic(found.code, f"'{name}': {found.message}", found.span, found.hint)


def _number_hint(text: str) -> str | None:
    if _GROUPED.fullmatch(text):
        return f"write {re.sub('[_,]', '', text)}"
    return "quote a text twice: '\"a text\"'" if re.fullmatch(r"\w+( \w+)+", text) else None


def _field(name: str | None, args: Mapping | None) -> Span | None:
    node = args.get(name) if args and name else None
    return node.span if node else None


def text_span(node: Node, at: int, end: int) -> Span:
    """The stretch of a scalar's text, given offsets into its value."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return node.span
    if at >= len(node.value):
        return _end_of(node.span)
    first = _written_at(node.text, node.value, at)
    last = _written_at(node.text, node.value, min(max(end, at + 1), len(node.value)) - 1)
    if first is None or last is None:
        return node.span
    (line, column), (end_line, end_column) = _place(node, first), _place(node, last)
    return Span(node.span.source, line, column, end_line, end_column + 1)


def _end_of(span: Span) -> Span:
    """The last character of a span, where something is missing behind it."""
    return Span(span.source, span.end_line, max(1, span.end_column - 1), span.end_line, span.end_column)


def _written_at(text: str, value: str, offset: int) -> int | None:
    """Where the character at `offset` of a value stands in its text, quotes and escapes included."""
    if text == value:
        return offset
    position, found = -1, -1
    for character in value[: offset + 1]:
        if character.isspace():
            continue
        found = text.find(character, position + 1)
        if found < 0:
            return None
        position = found
    return max(0, found)


def _place(node: Scalar, offset: int) -> tuple[int, int]:
    lines = _LINE_BREAK.split(node.text[:offset])
    start = node.span.column if len(lines) == 1 else 1
    return node.span.line + len(lines) - 1, start + len(lines[-1])
