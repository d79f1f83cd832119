"""Per-layer values: `vary: {attn.window: {cycle: [512, null]}, mlp: {at: {0: dense}, else: moe}}`."""

from __future__ import annotations

from msgspec.structs import replace

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims.evaluate import EvalError
from archspec.dims.num import Num, Value
from archspec.dims.parse import ExprSyntaxError
from archspec.errors import Diagnostic, LoweringError, Span
from archspec.lowering.frame import Frame
from archspec.lowering.values import value_of
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind


def spelt_out(frame: Frame, node: Node) -> Node:
    """The list that a name stands for, in place of the name, alone or under `cycle`: it means the same."""
    if isinstance(node, Mapping):
        entries = tuple((key, _cycled(frame, key, value)) for key, value in node.entries)
        return replace(node, entries=entries)
    held = frame.values.get(node.value) if isinstance(node, Scalar) and isinstance(node.value, str) else None
    return _node(held, node.span) if isinstance(held, tuple) else node


def _cycled(frame: Frame, key: Scalar, value: Node) -> Node:
    return spelt_out(frame, value) if key.value == "cycle" else value


def _node(value: Value, span: Span) -> Node:
    if isinstance(value, tuple):
        return Sequence(tuple(_node(item, span) for item in value), span)
    return Scalar(str(value), str(value), span) if isinstance(value, Num) else Scalar(value, str(value), span)


def layer_value(node: Node, layer: int, count: int, path: str) -> Node:
    """What a `vary` entry says for one layer.

    Raises `LoweringError` L030 where its length does not fit, L031 where its form is unknown.
    """
    if isinstance(node, Sequence):
        if len(node.items) != count:
            raise _fault(
                "L030",
                f"'{path}' has {len(node.items)} values for {count} layers",
                node,
                "give one per layer, or {cycle: […]}",
            )
        return node.items[layer]
    if isinstance(node, Scalar):
        return node
    cycle, at, rest = node.get("cycle"), node.get("at"), node.get("else")
    if isinstance(cycle, Sequence) and cycle.items and len(node.entries) == 1:
        return cycle.items[layer % len(cycle.items)]
    if isinstance(at, Mapping) and rest is not None and len(node.entries) == 2:
        return _at(at, rest, layer, count, path)
    hint = "a list, {cycle: [a, b]}, {at: {0: a}, else: b} or an expression in i"
    raise _fault("L031", f"'{path}' is {kind(node)} that says nothing about layers", node, hint)


def _at(at: Mapping, rest: Node, layer: int, count: int, path: str) -> Node:
    chosen = rest
    for key, value in at.entries:
        text = str(key.value)
        number = int(text) if text.lstrip("-").isdigit() and len(text) < 10 else None
        if number is None or not -count <= number < count:
            raise _fault(
                "L030",
                f"'{path}' names layer {text}, but there are {count}",
                key,
                f"layers run from 0 to {count - 1}",
            )
        if number % count == layer:
            chosen = value
    return chosen


def _fault(code: str, message: str, node: Node, hint: str) -> LoweringError:
    return LoweringError(Diagnostic(code, message, node.span, hint))


def chosen(frame: Frame, node: Node) -> Node:
    """The word that an expression in `i` gives; any other node as it is."""
    if not isinstance(node, Scalar):
        return node
    try:
        value = value_of(frame, node)
    except (EvalError, ExprSyntaxError, Problem, n.NumError):
        return node
    return Scalar(value, value, node.span) if isinstance(value, str) else node


def settle(frame: Frame, path: str, node: Node) -> tuple[Node, Num | None]:
    """The node to put at `path`, and the number it stands for, if it is one.

    A number becomes a name of its own (`attn.window` is called `attn_window`), so that layers which
    differ only in it remain one module class.
    """
    if not isinstance(node, Scalar):
        return node, None
    try:
        value = value_of(frame, node)
    except (EvalError, ExprSyntaxError, Problem, n.NumError):
        return node, None
    if not isinstance(value, Num):
        return node, None
    word = path.replace(".", "_")
    return Scalar(word, word, node.span), value
