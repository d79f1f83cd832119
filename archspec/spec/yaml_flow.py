"""The trap of flow style: in `{a: f(x, y)}` YAML ends the value at the comma."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archspec.errors import Span
from archspec.spec.node import Mapping, Node, Scalar


def cut_expressions(nodes: Iterable[Node]) -> list[Span]:
    """Where the plain scalars of one flow collection are pieces of an expression with commas.

    A cut begins at a piece with an open parenthesis and ends at the piece that closes it.
    """
    cuts: list[Span] = []
    first: Scalar | None = None
    depth = 0
    for piece in _pieces(nodes):
        depth += piece.text.count("(") - piece.text.count(")")
        if first is None and depth > 0:
            first = piece
        elif first is not None and depth <= 0:
            cuts.append(join(first.span, piece.span))
        if depth <= 0:
            first, depth = None, 0
    return cuts


def _pieces(nodes: Iterable[Node]) -> Iterator[Scalar]:
    """The plain scalars in order, through single pairs without braces (`[a: 1]`)."""
    for node in nodes:
        if isinstance(node, Scalar) and not node.quoted:
            yield node
        elif isinstance(node, Mapping) and node.entries and not is_before(node.span, node.entries[0][0].span):
            yield from (part for part in node.entries[0] if isinstance(part, Scalar) and not part.quoted)


def is_before(first: Span, second: Span) -> bool:
    """Whether `first` begins before `second`: a brace stands between them."""
    return (first.line, first.column) < (second.line, second.column)


def join(first: Span, last: Span) -> Span:
    """From the start of one span to the end of another."""
    return Span(first.source, first.line, first.column, last.end_line, last.end_column)


def covers(outer: Span, inner: Span) -> bool:
    """Whether `inner` begins inside `outer`."""
    start = (inner.line, inner.column)
    return (outer.line, outer.column) <= start < (outer.end_line, outer.end_column)
