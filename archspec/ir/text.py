"""The textual form of a graph, which reads back to the identical graph.

One line a statement; what belongs to a line stands below it, two spaces in:

    graph tiny
    summary "One layer."
    source ""
    dims B, S
    stream S

    root tiny tiny
      let hidden_size = 8
      input %x: float[B, S, hidden_size]
      %y = call linear up(%x) : float[B, S, 4 * hidden_size]
        input %x: float[B, S, hidden_size]
        param %weight: float[4 * hidden_size, hidden_size] = normal(0, 0.02)
        %linear = linear(%x, %weight) : float[B, S, 4 * hidden_size]
        return %linear
      return %y

    output y = %y

A number is its writing; where the names in scope do not make that its value, `writing = value`. An attribute
that is null where it is not given is left out.
A call without a body runs the region that stands under an earlier call of that name. `recur` is a call at
each position of an axis: so many inputs are carried, the next ones cut. A `feed` belongs to the loss above
it. Where a use of a value differs from its definition, or there is none, its type is written with the use.
Spans are left out.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import cast

from msgspec.structs import fields

from archspec.dims import poly
from archspec.dims.expr import Expr, Name, write
from archspec.dims.num import Num, num
from archspec.dims.num import Value as Setting
from archspec.dims.poly import Poly
from archspec.ir.graph import Apply, Call, Graph, Node, Param, Region, Repeat, State, Value
from archspec.ir.op import Op
from archspec.ir.scope import Scope, scope_of
from archspec.ir.text_parse import read
from archspec.ir.types import SHORT, TensorType

__all__ = ["read", "show"]

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")


def show(graph: Graph) -> str:
    """The graph as text; `read` gives back an equal graph, and the same text again."""
    scope = scope_of(graph)
    lines = [
        f"graph {atom(graph.name)}",
        f"summary {quoted(graph.summary)}",
        f"source {quoted(graph.source)}",
    ]
    lines += [f"dims {', '.join(map(atom, graph.dims))}"] if graph.dims else []
    lines += [f"stream {atom(graph.stream)}"] if graph.stream is not None else []
    root = _Body(graph.root, scope)
    lines += ["", f"root {_title(graph.root)}", *root.lines]
    if graph.defaults:
        lines += ["", f"defaults {_title(graph.defaults)}", *_Body(graph.defaults, root.scope).lines]
    lines += [""] if graph.outputs or graph.losses or graph.ties else []
    lines += [f"output {atom(name)} = {root.operand(value)}" for name, value in graph.outputs]
    for loss in graph.losses:
        lines += [f"loss {atom(loss.name)} {_title(loss.region)}", *_Body(loss.region, root.scope).lines]
        lines += [f"feed {_title(loss.feed)}", *_Body(loss.feed, root.scope).lines] if loss.feed else []
    lines += [f"tie {atom(alias)} = {atom(target)}" for alias, target in graph.ties]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def atom(text: str, *taken: str) -> str:
    """A name: itself where it is a plain word and not `taken`, else in quotes."""
    return text if _WORD.match(text) and text not in taken else quoted(text)


def _title(region: Region) -> str:
    return atom(region.component, "shared") + " " + atom(region.name)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


class _Body:
    """The lines of a region, and what stands in scope at its end."""

    def __init__(self, region: Region, outer: Scope) -> None:
        self.scope = outer.inside()
        self.known: dict[str, Value] = {}
        self.bodies: dict[tuple[str, str], list[str]] = {}
        lines = [self.binding(name, setting) for name, setting in region.bindings]
        lines += [f"input {self.declared(value)}" for value in region.inputs]
        lines += [self.param(param) for param in region.params]
        lines += [self.state(state) for state in region.states]
        for node in region.nodes:
            lines += self.node(node)
        lines.append(f"return {self.operands(region.outputs)}".rstrip())
        self.lines = _indented(lines)

    def binding(self, name: str, setting: Setting) -> str:
        if isinstance(setting, Num) and setting.expr == Name(name) and not self.scope.tells(setting):
            setting = num(setting.value)  # its own name says nothing
        text = self.setting(setting)
        self.scope.bindings[name] = setting
        return f"let {atom(name)} = {text}"

    def setting(self, value: Setting) -> str:
        if isinstance(value, Num):
            text = self.number(value)
            return f"({text})" if text[0] in '["' else text
        if isinstance(value, tuple):
            return f"[{', '.join(map(self.setting, value))}]"
        return quoted(value) if isinstance(value, str) else plain(value)

    def number(self, number: Num) -> str:
        text = write(number.expr)
        return text if self.scope.tells(number) else f"{text} = {_value(number)}"

    def type(self, type_: TensorType) -> str:
        return f"{SHORT.get(type_.dtype, type_.dtype)}[{', '.join(map(self.number, type_.shape))}]"

    def types(self, values: tuple[Value, ...]) -> str:
        return f" : {', '.join(self.type(v.type) for v in values)}" if values else ""

    def declared(self, value: Value) -> str:
        self.known[value.name] = value
        return f"{_reference(value)}: {self.type(value.type)}"

    def param(self, param: Param) -> str:
        init = param.init
        values = [self.number(x) for x in (init.a, init.b) if x is not None]
        word = "param" if param.trainable else "buffer"
        return f"{word} {self.declared(param.value)} = {atom(init.kind)}({', '.join(values)})"

    def state(self, state: State) -> str:
        types = ", ".join(map(self.type, state.types))
        return f"state {atom(state.name)} {atom(state.kind)}({types}) axis {state.axis}"

    def operands(self, values: tuple[Value | None, ...]) -> str:
        return ", ".join(map(self.operand, values))

    def operand(self, value: Value | None) -> str:
        if value is None:
            return "_"
        known = self.known.get(value.name) == value
        return f"%{atom(value.name)}" if known else f"{_reference(value)}: {self.type(value.type)}"

    def node(self, node: Node) -> list[str]:
        given = self.operands(node.inputs)
        if isinstance(node, Apply):
            text, below = f"{node.op.name}({given}){self.attributes(node.op)}", []
        elif isinstance(node, Call):
            text, below = f"{_run(node)}{_title(node.region)}({given})", self.body(node.region)
        else:
            text = f"{_loop(node)}({given}) times {self.number(node.count)}"
            below = self.layers(node)
        results = ", ".join(map(_reference, node.outputs)) or "()"
        self.known.update((v.name, v) for v in node.outputs)
        return [f"{results} = {text}{self.types(node.outputs)}", *below]

    def body(self, region: Region) -> list[str]:
        """The lines of a called region; none where they would repeat those of an earlier call."""
        key, lines = (region.component, region.name), _Body(region, self.scope).lines
        if self.bodies.get(key) == lines:
            return []
        self.bodies[key] = lines
        return lines

    def layers(self, repeat: Repeat) -> list[str]:
        lines = [f"schedule {' '.join(_runs(repeat.schedule))}".rstrip()]
        scope = self.scope.seeing(repeat.rows)
        for variant in repeat.variants:
            lines += [f"variant {_title(variant)}", *_Body(variant, scope).lines]
        return _indented(lines)

    def attributes(self, op: Op) -> str:
        unset = {f.name for f in fields(type(op)) if f.default is None}
        given = ((name, value) for name, value in op.attributes() if value is not None or name not in unset)
        parts = [f"{name} = {self.attribute(value)}" for name, value in given]
        return f" {{{', '.join(parts)}}}" if parts else ""

    def attribute(self, value: object) -> str:
        if isinstance(value, Num):
            return self.number(value)
        if isinstance(value, tuple):
            return f"[{', '.join(map(self.attribute, cast('tuple[object, ...]', value)))}]"
        if isinstance(value, str):
            return atom(value, "null")
        if isinstance(value, Expr):
            text = write(value)
            return f"({text})" if text == "null" else text
        if value is None or isinstance(value, bool | int):
            return plain(value)
        raise AssertionError(f"an operation has a field of type {type(value).__name__}")


def plain(value: bool | int | None) -> str:
    return "null" if value is None else str(value).lower()


def _value(number: Num) -> str:
    return poly.show(number.value) if isinstance(number.value, Poly) else repr(number.value)


def _reference(value: Value) -> str:
    return f"%{atom(value.name)}{'?' if value.optional else ''}"


def _run(node: Call) -> str:
    """`call shared `; `recur axis 1 carry 2 cut 1 `, where the region runs at each position of an axis."""
    along = node.along
    if along is None:
        return f"call {_shared(node)}"
    return f"recur axis {along.axis} carry {along.carried} cut {along.cut} {_shared(node)}"


def _shared(node: Call | Repeat) -> str:
    return "shared " if node.shared else ""


def _loop(node: Repeat) -> str:
    """`repeat shared h`; `experts rows mlp`, where `rows` is the size that exists only inside."""
    if node.rows is not None:
        return f"experts {atom(node.rows)} {atom(node.name)}"
    return f"repeat {_shared(node)}{atom(node.name, 'shared')}"


def _runs(schedule: tuple[int, ...]) -> list[str]:
    """`0, 0, 0, 1` as `0*3 1`."""
    runs = [(variant, len(list(layers))) for variant, layers in groupby(schedule)]
    return [f"{variant}*{count}" if count > 1 else f"{variant}" for variant, count in runs]
