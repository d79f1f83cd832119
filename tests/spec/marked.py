"""Texts in which «…» marks the stretch that a span must cover, to the character."""

from dataclasses import dataclass

from archspec.errors import Source, Span
from archspec.spec.node import Mapping, Node, Sequence


@dataclass(frozen=True)
class Marked:
    text: str
    covered: tuple[int, int, int, int]  # line, column, end line, end column


def marked(text: str) -> Marked:
    """`a: «010»` as its text without the marks, and where they stood."""
    before, rest = text.split("«")
    inside, after = rest.split("»")
    return Marked(before + inside + after, (*position(before), *position(before + inside)))


def position(before: str) -> tuple[int, int]:
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return len(lines), len(lines[-1]) + 1


def where(span: Span | None) -> tuple[int, int, int, int]:
    assert span is not None
    return span.line, span.column, span.end_line, span.end_column


def cut(span: Span) -> str:
    """The text under a span of a source whose line breaks are line feeds."""
    lines = span.source.text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def everything(node: Node) -> list[Node]:
    """The node and all below it, keys included."""
    if isinstance(node, Mapping):
        return [node, *(found for pair in node.entries for part in pair for found in everything(part))]
    if isinstance(node, Sequence):
        return [node, *(found for item in node.items for found in everything(item))]
    return [node]


def source(text: str) -> Source:
    return Source("t.yaml", text)
