"""Builds located nodes from parser events, with a stack of its own: no recursion, bounded all the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from archspec.errors import Collector, Source, Span
from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.yaml_flow import covers, cut_expressions, is_before, join
from archspec.spec.yaml_keys import MAX_FINDINGS, entries
from archspec.spec.yaml_scalar import Refusal, Value, resolve_plain
from archspec.spec.yaml_syntax import FORBIDDEN, LINE_BREAK, describe, directive, fail

MAX_DEPTH = 64
MAX_NODES = 100_000

_PROPERTY = re.compile(r"[&*!][^\s,\[\]{}]*")


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been seen; the `nodes` of a mapping alternate key, value."""

    is_mapping: bool
    is_flow: bool
    span: Span
    nodes: list[Node] = field(default_factory=list[Node])
    bare: set[int] = field(default_factory=set[int])

    @property
    def awaits_value(self) -> bool:
        return self.is_mapping and len(self.nodes) % 2 == 1


class Builder:
    """Takes events one by one; `finish` gives the root, or raises every finding."""

    def __init__(self, source: Source) -> None:
        self.opaque: list[tuple[int, int]] = []  # where quoted strings and block scalars stand in the text
        self.last = Span(source, 1, 1, 1, 2)
        self._source = source
        self._found = Collector()
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._count = 0
        self._end = 0  # where the last scalar ended

    def take(self, event: yaml.Event) -> None:
        """Raises `SpecError` at once where a limit is passed, or the findings are many."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(event)
        self._stop_if_many()

    def finish(self) -> Node:
        """The root node; null for an empty document."""
        self._found.raise_if_any()
        return self._root or Scalar(None, "", Span(self._source, 1, 1, 1, 1))

    def _stop_if_many(self) -> None:
        if len(self._found.diagnostics) >= MAX_FINDINGS:
            self._found.raise_if_any()

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        span = self._span(event)
        if event.version or event.tags:
            raise directive(self._start(event))
        if self._root is not None:
            raise fail("Y014", "a second document starts here", span, "keep one document per file")

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._properties(event)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open(is_mapping, bool(event.flow_style), self._span(event)))
        if len(self._stack) > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            raise fail("Y005", message, self._start(event), "move the inner part into a block of its own")

    def _close(self, event: yaml.MappingEndEvent | yaml.SequenceEndEvent) -> None:
        done = self._stack.pop()
        braced = done.is_flow and (not done.nodes or is_before(done.span, done.nodes[0].span))
        span = join(done.span, self._span(event) if braced else done.nodes[-1].span)
        cuts = cut_expressions(done.nodes)[:MAX_FINDINGS] if braced else []
        for cut in cuts:
            self._found.add("Y017", "YAML ends this value at the comma", cut, "quote the expression")
        self._stop_if_many()
        if done.is_mapping:
            self._add(Mapping(self._entries(done, cuts), span))
        else:
            self._add(Sequence(tuple(done.nodes), span))

    def _entries(self, done: _Open, cuts: list[Span]) -> tuple[tuple[Scalar, Node], ...]:
        pairs = list(zip(done.nodes[::2], done.nodes[1::2], strict=True))
        inner = {i for i, (key, _) in enumerate(pairs) if any(covers(cut, key.span) for cut in cuts)}
        kept = [i for i in range(len(pairs)) if i not in inner]
        bare = {at for at, i in enumerate(kept) if i in done.bare}
        return tuple(entries([pairs[i] for i in kept], bare, self._found))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._properties(event)
        span, start, end = self._span(event), event.start_mark.index, event.end_mark.index
        text = self._source.text[start:end]
        if event.style:
            self.opaque.append((start, end))
            self._check_escapes(event.value, span)
        elif not event.value:
            self._note_bare_key(start)
            span = self._inside(start, span)
        if event.style in ("|", ">"):
            text = text.rstrip()
            span = _block_span(span, text)
        self._end = end
        value = event.value if event.style else self._plain(event.value, span)
        self._add(Scalar(value, text, span, quoted=event.style in ("'", '"')))

    def _check_escapes(self, value: str, span: Span) -> None:
        bad = FORBIDDEN.search(value)
        if bad:
            message = f"the string holds the character {describe(bad.group())}"
            self._found.add("Y003", message, span, "take the escape out")

    def _plain(self, text: str, span: Span) -> Value:
        value = resolve_plain(text)
        if isinstance(value, Refusal):
            self._found.add(value.code, value.message, span, value.hint)
            return text
        return value

    def _note_bare_key(self, start: int) -> None:
        """In `{a, b: 1}` the key `a` has no colon: YAML reads it as `a: null`."""
        frame = self._stack[-1] if self._stack else None
        between = self._source.text[self._end : start]
        if frame and frame.is_flow and frame.awaits_value and ":" not in between:
            frame.bare.add(len(frame.nodes) // 2)

    def _inside(self, start: int, span: Span) -> Span:
        """libyaml ends every text with a line break of its own; an empty value may stand after it."""
        text = self._source.text
        if start < len(text) or span.column > 1 or text.endswith(("\r", "\n")):
            return span
        end = self.last
        return Span(self._source, end.end_line, end.end_column, end.end_line, end.end_column)

    def _alias(self, event: yaml.AliasEvent) -> None:
        span = self._span(event)
        self._found.add("Y011", "an alias is used", span, "write the value out, or use 'params' or a block")
        self._add(Scalar(None, "", span))

    def _properties(self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        """Refuses `&anchor` and `!tag` in front of a node."""
        if event.anchor is None and event.tag is None:
            return
        span = self._start(event)
        if self._source.text[event.start_mark.index] == "!":
            self._found.add("Y012", "a tag is used", span, "drop it: the language has no tags")
        else:
            self._found.add("Y011", "an anchor is used", span, "drop it: 'params' and blocks share values")

    def _add(self, node: Node) -> None:
        self.last = node.span
        self._count += 1
        if self._count > MAX_NODES:
            message = f"the document has more than {MAX_NODES:,} values"
            raise fail("Y006", message, node.span, "say repeated parts once, with 'repeat' and blocks")
        if self._stack:
            self._stack[-1].nodes.append(node)
        else:
            self._root = node

    def _span(self, event: yaml.Event) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self._source, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _start(self, event: yaml.Event) -> Span:
        """The first sign of an event: one character, or a whole `&name`."""
        mark = event.start_mark
        word = _PROPERTY.match(self._source.text, mark.index)
        length = len(word.group()) if word else 1
        return Span(self._source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 1 + length)


def _block_span(span: Span, text: str) -> Span:
    """The span of a block scalar without the line breaks that follow it."""
    lines = LINE_BREAK.split(text)
    column = len(lines[-1]) + (span.column if len(lines) == 1 else 1)
    return Span(span.source, span.line, span.column, span.line + len(lines) - 1, column)
