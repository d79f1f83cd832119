"""Findings of lowering: the many ways a part can fail, turned into located diagnostics."""

from __future__ import annotations

from archspec.components.base import Problem
from archspec.dims.evaluate import EvalError
from archspec.dims.num import NumError
from archspec.dims.parse import ExprSyntaxError
from archspec.errors import Diagnostic, LoweringError, Span
from archspec.ir.types import ShapeError
from archspec.spec.node import Mapping, Node, Scalar

Fault = Problem | ShapeError | EvalError | ExprSyntaxError | NumError
FAULTS = (Problem, ShapeError, EvalError, ExprSyntaxError, NumError)


class Broken(Exception):
    """An operand failed earlier; what depends on it is left out without another finding."""


def diagnose(fault: Fault, span: Span, args: Mapping | None = None) -> Diagnostic:
    """The fault at its place: the field it names if `args` has it, else the whole step."""
    if isinstance(fault, Problem):
        return Diagnostic(fault.code, fault.message, _field(fault.field, args) or span, fault.hint)
    if isinstance(fault, ShapeError):
        return Diagnostic(fault.code, fault.message, span, fault.hint)
    if isinstance(fault, EvalError):
        return Diagnostic(fault.code, fault.message, span, fault.hint)
    if isinstance(fault, ExprSyntaxError):
        return Diagnostic("N010", fault.message, span, fault.hint)
    return Diagnostic("N004", str(fault), span)


def _field(name: str | None, args: Mapping | None) -> Span | None:
    node = args.get(name) if args and name else None
    return node.span if node else None


def text_span(node: Node, at: int, end: int) -> Span:
    """The stretch of a scalar's text, given offsets into its value."""
    quote = 1 if isinstance(node, Scalar) and node.quoted else 0
    return node.span.shifted(at + quote, max(1, end - at))


def fail(code: str, message: str, span: Span, hint: str | None = None) -> LoweringError:
    return LoweringError(Diagnostic(code, message, span, hint))
