"""Params: literals, expressions over other params, presets and overrides, to values."""

from __future__ import annotations

from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, evaluate
from archspec.dims.expr import Name
from archspec.dims.num import Num, Value
from archspec.dims.parse import ExprSyntaxError, parse
from archspec.errors import Collector, did_you_mean
from archspec.lowering.faults import text_span
from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.spec import Spec


class Settings:
    """The value of every param. Later layers win: document, preset, overrides."""

    def __init__(self, spec: Spec, found: Collector) -> None:
        self.found = found
        self.nodes: dict[str, Node] = {str(k.value): v for k, v in spec.section("params").entries}
        self.values: dict[str, Value] = {}
        self.failed: set[str] = set()
        self._open: list[str] = []
        self._overlay(spec)
        for name in self.nodes:
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
        if key not in self.nodes:
            self.found.add("S021", f"there is no param '{key}'", name.span, did_you_mean(key, self.nodes))
        elif apply:
            self.nodes[key] = value

    def _settle(self, name: str) -> Value:
        if name in self.values:
            return self.values[name]
        if name in self.failed:
            raise KeyError(())
        if name in self._open:
            cycle = " -> ".join([*self._open[self._open.index(name) :], name])
            self.found.add("N006", f"params go in a circle: {cycle}", self.nodes[name].span)
            self.failed.update(self._open)
            raise KeyError(())
        self._open.append(name)
        try:
            value = self.read(self.nodes[name])
        except (EvalError, ExprSyntaxError) as fault:
            self._report(name, fault)
            return None
        finally:
            self._open.pop()
        if name in self.failed:
            return None
        self.values[name] = n.named(name, value) if isinstance(value, Num) else value
        return self.values[name]

    def _report(self, name: str, fault: EvalError | ExprSyntaxError) -> None:
        node = self.nodes[name]
        code = fault.code if isinstance(fault, EvalError) else "N010"
        if name not in self.failed:
            self.found.add(code, fault.message, text_span(node, fault.at, fault.end), fault.hint)
        self.failed.add(name)

    def read(self, node: Node) -> Value:
        """A param's node to its value; a bare word that is no param stands for itself."""
        if isinstance(node, Sequence):
            return tuple(self.read(item) for item in node.items)
        if not isinstance(node, Scalar):
            raise EvalError("N002", "a param is a number, a word or a list", Name("", 0, 1))
        if not isinstance(node.value, str):
            return n.num(node.value) if isinstance(node.value, int | float) and not isinstance(node.value, bool) else node.value
        expr = parse(node.value)
        if isinstance(expr, Name) and expr.id not in self.nodes:
            return expr.id
        return evaluate(expr, self._lookup)

    def _lookup(self, name: str) -> Value:
        if name not in self.nodes:
            raise KeyError(tuple(self.nodes))
        return self._settle(name)
