"""The values that a param is known to take: read off the spec, for params that only conditions mention."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, evaluate
from archspec.dims.expr import Binary, Conditional, Expr, Literal, Name, children
from archspec.dims.num import Value
from archspec.dims.parse import ExprSyntaxError, parse
from archspec.errors import Collector
from archspec.importing.fields import expression
from archspec.lowering.settings import Settings
from archspec.spec.node import Mapping, Node, Sequence
from archspec.spec.spec import Spec

_NO_MODEL = frozenset({"name", "summary", "source", "params", "presets", "weights", "expect"})


class Domains:
    """Per param: its own value, those of presets, both truths, and the words it is compared with."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.params = frozenset(spec.section("params").keys())
        self.own = Settings(spec, Collector()).values

    def of(self, name: str) -> tuple[Value, ...]:
        """The values in the order in which they are tried: the spec's own first."""
        truths = (True, False) if isinstance(self.own.get(name), bool) else ()
        own = (self.own[name],) if name in self.own else ()
        words = (word for compared, word in self.compared if compared == name)
        return tuple(dict.fromkeys((*own, *truths, *self.presets(name), *words)))

    def allows(self, name: str, value: Value) -> bool:
        """Whether a param may take a value that its field gives.

        A word must be one that the spec speaks of, unless a component takes it and knows what it means.
        """
        return not isinstance(value, str) or name in self.judged or value in self.of(name)

    @cached_property
    def judged(self) -> frozenset[str]:
        """Params that are handed to components, themselves or by way of other params."""
        sections = [node for key, node in self.spec.node.entries if key.value not in _NO_MODEL]
        found = {name for node in sections for expr in _expressions(node) for name in _handed(expr)}
        params = [(str(key.value), node) for key, node in self.spec.section("params").entries]
        while more := {
            name
            for param, node in params
            if param in found
            for expr in _expressions(node)
            for name in _handed(expr)
            if name not in found
        }:
            found |= more
        return frozenset(found)

    def presets(self, name: str) -> Iterator[Value]:
        for _, preset in self.spec.section("presets").entries:
            node = preset.get(name) if isinstance(preset, Mapping) else None
            if node is not None:
                try:
                    yield evaluate(expression(node, self.params), self.own.__getitem__)
                except (EvalError, ExprSyntaxError):
                    continue

    @cached_property
    def compared(self) -> tuple[tuple[str, Value], ...]:
        """Every param with each word that it is compared with anywhere in the spec."""
        return tuple(dict.fromkeys(pair for expr in _expressions(self.spec.node) for pair in _pairs(expr)))


def _expressions(node: Node) -> Iterator[Expr]:
    if isinstance(node, Mapping):
        for _, value in node.entries:
            yield from _expressions(value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _expressions(item)
    elif isinstance(node.value, str):
        try:
            yield parse(node.value)
        except ExprSyntaxError:  # a text for people
            return


def _pairs(expr: Expr) -> Iterator[tuple[str, Value]]:
    match expr:
        case Binary(op="==" | "!=", left=Name(id=name), right=Literal(value=value)):
            yield name, _value(value)
        case Binary(op="==" | "!=", left=Literal(value=value), right=Name(id=name)):
            yield name, _value(value)
        case _:
            for child in children(expr):
                yield from _pairs(child)


def _handed(expr: Expr) -> Iterator[str]:
    """The names whose values an expression may have, or compute with; not those that are only compared."""
    match expr:
        case Name(id=name):
            yield name
        case Binary(op="==" | "!="):
            return
        case Conditional(then=then, orelse=orelse):
            yield from (*_handed(then), *_handed(orelse))
        case _:
            for child in children(expr):
                yield from _handed(child)


def _value(value: float | bool | str | None) -> Value:
    return value if value is None or isinstance(value, bool | str) else n.num(value)
