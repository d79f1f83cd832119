"""Params: literals, expressions over other params, presets and overrides, to values."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, evaluate
from archspec.dims.expr import Expr, Name, names_in
from archspec.dims.functions import MAX_ITEMS
from archspec.dims.num import Num, Value
from archspec.dims.parse import ExprSyntaxError, parse
from archspec.errors import Collector, Span, did_you_mean
from archspec.lowering.faults import Broken, diagnose_in, text_span
from archspec.spec.limits import stop_if_many
from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.spec import Spec


class Settings:
    """The value of every param. Later layers win: document, preset, overrides.

    A param may not read itself, in any branch of its expression. Those without a value are in `failed`.
    """

    def __init__(self, spec: Spec, found: Collector) -> None:
        self.found = found
        self.nodes: dict[str, Node] = {str(k.value): v for k, v in spec.section("params").entries}
        self.values: dict[str, Value] = {}
        self.failed: set[str] = set()
        self.readable = isinstance(spec.node.get("params"), Mapping | None)
        self._parsed: dict[str, Expr] = {}
        self._overlay(spec)
        for name in self.nodes:
            stop_if_many(found)
            self._settle(name)

    def _overlay(self, spec: Spec) -> None:
        presets = spec.section("presets")
        for key, preset in presets.entries:
            for name, value in preset.entries if isinstance(preset, Mapping) else ():
                self._set(name, value, apply=key.value == spec.preset)
        if spec.preset is not None and presets.get(spec.preset) is None:
            known = ", ".join(presets.keys()) or "none"
            hint = did_you_mean(spec.preset, presets.keys()) or f"presets here: {known}"
            self.found.add("S020", f"'{spec.name}' has no preset '{spec.preset}'", None, hint)
        for name, value in spec.overrides:
            self._set(Scalar(name, name, value.span), value, apply=True)

    def _set(self, name: Scalar, value: Node, *, apply: bool) -> None:
        key = str(name.value)
        if key not in self.nodes and self.readable:
            stop_if_many(self.found)
            hint = did_you_mean(key, self._options()) or "set it under 'params' first"
            self.found.add("S021", f"there is no param '{key}'", name.span, hint)
        elif apply and self.readable:
            self.nodes[key] = value

    def _settle(self, name: str) -> None:
        """The param's value, after those of all params it reads. Without recursion: chains may be long."""
        open_: dict[str, Iterator[tuple[str, Span]]] = {}
        if not self._known(name):
            open_[name] = self._reads(self.nodes[name])
        while open_:
            current = next(reversed(open_))
            read, span = next(open_[current], (None, None))
            if read is None:
                open_.popitem()
                self._compute(current)
            elif read in open_:
                self._circle(list(open_), read, span)
            elif not self._known(read):
                open_[read] = self._reads(self.nodes[read])

    def _options(self) -> tuple[str, ...]:
        """Names to suggest; a look at thousands would take long."""
        return tuple(islice(self.nodes, 500))

    def _known(self, name: str) -> bool:
        return name in self.values or name in self.failed

    def _reads(self, node: Node) -> Iterator[tuple[str, Span]]:
        """The params that an expression names, and where it does."""
        if isinstance(node, Sequence):
            for item in node.items[:MAX_ITEMS]:
                yield from self._reads(item)
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return
        try:
            expr = self._parsed[node.value] = parse(node.value)
        except ExprSyntaxError:  # reported where it is computed
            return
        for name in names_in(expr):
            if name.id in self.nodes:
                yield name.id, text_span(node, name.at, name.end)

    def _circle(self, chain: list[str], again: str, span: Span | None) -> None:
        circle = [*chain[chain.index(again) :], again]
        shown = circle if len(circle) <= 8 else [*circle[:4], "…", *circle[-3:]]
        message = f"params go in a circle: {' -> '.join(shown)}"
        self.found.add("N006", message, span, "give one of them a value")
        self.failed.update(circle)

    def _compute(self, name: str) -> None:
        if name in self.failed:
            return
        try:
            value = self._value(self.nodes[name])
        except Broken:
            self.failed.add(name)
        else:
            self.values[name] = n.named(name, value) if isinstance(value, Num) else value

    def _value(self, node: Node) -> Value:
        """Raises `Broken`, the reason reported."""
        if isinstance(node, Sequence) and len(node.items) <= MAX_ITEMS:
            return tuple([self._value(item) for item in node.items])
        try:
            return self._read(node)
        except (EvalError, ExprSyntaxError) as fault:
            found = diagnose_in(node, fault)
            self.found.add(found.code, found.message, found.span, found.hint)
            raise Broken from None

    def read(self, node: Node) -> Value:
        """A node to its value; a bare word that is no param stands for itself.

        Raises `EvalError`, `ExprSyntaxError`, and `KeyError` where a param it reads has failed.
        """
        try:
            return self._read(node)
        except Broken:
            raise KeyError(()) from None

    def _read(self, node: Node) -> Value:
        if isinstance(node, Sequence):
            if len(node.items) > MAX_ITEMS:
                message = f"a list of {len(node.items):,} items; at most {MAX_ITEMS:,} are read"
                raise EvalError("N004", message, Name("", 0, 1), "write it as an expression, such as a range")
            return tuple(self._read(item) for item in node.items)
        if isinstance(node, Mapping):
            raise Broken  # the outline of the document says so
        if not isinstance(node.value, str):
            return literal(node.value)
        expr = self._parsed.get(node.value) or parse(node.value)
        if isinstance(expr, Name) and expr.id not in self.nodes:
            return expr.id
        return evaluate(expr, self._lookup)

    def _lookup(self, name: str) -> Value:
        if name in self.failed or not self.readable:
            raise Broken
        if name not in self.nodes:
            raise KeyError(self._options())
        return self.values[name]


def literal(value: bool | int | float | None) -> Value:
    """What a value that is no text stands for."""
    return value if value is None or isinstance(value, bool) else n.num(value)
