"""A region's forward method: values become variables, single uses are written where they are used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from archspec.backends.base import Rule
from archspec.backends.torch.code import Code
from archspec.backends.torch.layout import commented, fits
from archspec.backends.torch.ops import RULES
from archspec.backends.torch.python import python
from archspec.backends.torch.scope import Pending, Variables
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.expr import Literal
from archspec.dims.num import Num
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.types import TensorType

if TYPE_CHECKING:
    from archspec.backends.torch.module import Module

MAX_DEPTH = 5


@dataclass(slots=True)
class Spot:
    """One operation's view of the method it is written into: the `Emission` that rules are given."""

    body: Body
    inputs: tuple[TensorType | None, ...]
    outputs: tuple[TensorType, ...]

    def number(self, number: Num) -> Code:
        return self.body.number(number)

    def device(self) -> str:
        return self.body.device()

    def model_dtype(self) -> str:
        return self.body.model_dtype()

    def require(self, line: str) -> None:
        self.body.module.parts.require(line)


@dataclass(slots=True)
class Body:
    """The statements of one method under construction."""

    module: Module
    region: Region
    indent: int = 8
    lines: list[str] = field(default_factory=list)
    pending: dict[str, Pending] = field(default_factory=dict)
    variables: Variables = field(default_factory=lambda: Variables({}))
    sizes: dict[str, None] = field(default_factory=dict)
    skipped: set[int] = field(default_factory=set)

    def begin(self, inputs: Sequence[Value], nodes: Sequence[Node], outputs: Sequence[Value]) -> None:
        """Count the reads of every value, and take the inputs as variables."""
        reads = Counter(v.name for node in nodes for v in node.inputs if v is not None)
        reads.update(v.name for v in outputs)
        self.variables.left = dict(reads)
        for param in self.region.params:
            self.pending[param.name] = Pending(Code(f"self.{param.name}"), (), 0)
        for value in inputs:
            self.variables.bind(value.name, value)

    # numbers

    def number(self, number: Num) -> Code:
        """The number in this method: literals, `self.` names of static ones, sizes of tensors at hand."""
        if number.static:
            return self.static(number)
        found = self.variables.size(number)
        if found is not None:
            return Code(found)
        value = number.size
        if isinstance(value, poly.Poly) and value == poly.symbol(str(number)):
            return self.variables.solved(str(number)) or self.told(str(number))
        bound = {name: v for name, v in self.region.bindings if isinstance(v, Num) and not v.static}
        known = bound | {name: n.symbol(name) for name in (*self.module.classes.dims, "past")}
        expr = number.expr if n.reads(number) <= known.keys() else n.num(value).expr
        return python(expr, lambda word: self.number(known[word]).atom, self.module.parts.require)

    def told(self, size: str) -> Code:
        """A size that no variable shows: the forward method is handed it."""
        self.sizes.setdefault(size)
        return Code(size)

    def static(self, number: Num) -> Code:
        known = self.module.static_names
        if not n.reads(number) <= known:
            return python(Literal(number.value), str, self.module.parts.require)  # type: ignore[arg-type]  # static
        return python(number.expr, self.module.attribute, self.module.parts.require)

    def device(self) -> str:
        name = next((name for name, v in self.variables.holds.items() if not v.optional), None)
        return f"{name}.device" if name else "next(self.parameters()).device"

    def model_dtype(self) -> str:
        floating = (name for name, v in self.variables.holds.items() if v.type.dtype == "float" and not v.optional)
        name = next(floating, None)
        return f"{name}.dtype" if name else "next(self.parameters()).dtype"

    # values

    def operand(self, value: Value | None) -> Code | None:
        """A value as an expression."""
        if value is None:
            return None
        if value.name in self.pending:
            return self.pending[value.name].code
        return Code(self.variables.named[value.name])

    def reads(self, values: Sequence[Value | None]) -> tuple[tuple[str, ...], int]:
        """Variables that an expression over these values reads, and how deep it nests."""
        found: list[str] = []
        depth = 0
        for value in values:
            if value is None:
                continue
            waiting = self.pending.get(value.name)
            found += waiting.reads if waiting else (value.name,)
            depth = max(depth, waiting.depth if waiting else 0)
        return tuple(found), depth + 1

    def settle(self, values: Sequence[Value | None], build: Callable[[], Code]) -> Code:
        """`build()`, with operands put into variables, longest first, until the line fits."""
        while True:
            code = build()
            waiting = [v for v in values if v is not None and v.name in self.pending and not self.pending[v.name].code.text.startswith("self.") ]
            waiting += [v for v in values if v is not None and v.name in self.pending and "(" in self.pending[v.name].code.text and v not in waiting]
            deep = any(self.pending[v.name].depth >= MAX_DEPTH for v in waiting)
            if not waiting or (fits(f"return {code.text}", self.indent + 8) and not deep):
                return code
            self.materialise(max(waiting, key=lambda v: len(self.pending[v.name].code.text)))

    def materialise(self, value: Value) -> None:
        """Write a pending expression into a variable of its own."""
        waiting = self.pending.pop(value.name)
        self.assign((value,), waiting.code, waiting.reads)

    def flush(self) -> None:
        """Write all that is pending, in order."""
        made = {v.name: v for node in self.region.nodes for v in node.outputs}
        for name in [name for name in self.pending if name in made]:
            self.materialise(made[name])

    def give(self, value: Value, code: Code, inputs: Sequence[Value | None]) -> None:
        """A single result: kept for its one reader, or written into a variable."""
        reads, depth = self.reads(inputs)
        for v in inputs:
            if v is not None:
                self.pending_used(v)
        if self.variables.left.get(value.name, 0) <= 1 and not value.optional:
            self.pending[value.name] = Pending(code, reads, depth)
        else:
            self.assign((value,), code, reads)

    def pending_used(self, value: Value) -> None:
        if value.name in self.pending and value.name not in {p.name for p in self.region.params}:
            del self.pending[value.name]

    def assign(self, values: Sequence[Value], code: Code, reads: tuple[str, ...]) -> None:
        """`a, b = code`."""
        self.variables.read(reads)
        names: list[str] = []
        before = dict(self.variables.holds)
        for value in values:
            used = self.variables.left.get(value.name, 0) > 0
            name = self.variables.choose(value.name) if used else "_"
            if used:
                self.variables.bind(name, value)
            names.append(name)
        self.write(", ".join(names), code.text, self.comment(names, values, before))

    def comment(self, names: list[str], values: Sequence[Value], before: dict[str, Value]) -> str | None:
        """The shape of a result, where it is news."""
        first = values[0]
        same = all(v.type == first.type for v in values)
        old = before.get(names[0])
        if not same or first.type.rank < 2 or (old is not None and old.type == first.type):
            return None
        return shape_text(first.type)

    def write(self, target: str, text: str, comment: str | None = None) -> None:
        self.lines += statement(f"{target} = " if target else "", text, self.indent, comment)

    def line(self, text: str) -> None:
        self.lines.append(" " * self.indent + text)

    # operations

    def apply(self, node: Apply) -> None:
        """An operation with a rule."""
        verdict = RULES.verdict(type(node.op))
        if not isinstance(verdict, Rule):
            reason = getattr(verdict, "reason", f"'{node.op.name}' is lowered elsewhere")
            raise UnsupportedError(Diagnostic("U004", reason, node.span))
        spot = Spot(self, tuple(v and v.type for v in node.inputs), tuple(v.type for v in node.outputs))
        code = self.settle(node.inputs, lambda: verdict.write(node.op, [self.operand(v) for v in node.inputs], spot))
        self.result(node.outputs, code, node.inputs)

    def result(self, outputs: Sequence[Value], code: Code, inputs: Sequence[Value | None]) -> None:
        if len(outputs) == 1:
            self.give(outputs[0], code, inputs)
            return
        reads, _ = self.reads(inputs)
        for v in inputs:
            if v is not None:
                self.pending_used(v)
        self.assign(outputs, code, reads)

    def results(self, outputs: Sequence[Value]) -> list[str]:
        """The outputs as expressions, all of them written out."""
        return [code.text for v in outputs if (code := self.operand(v)) is not None]


def shape_text(type_: TensorType) -> str:
    return "[" + ", ".join(str(d) for d in type_.shape) + "]"


def statement(head: str, text: str, indent: int, comment: str | None = None, tail: str = "") -> list[str]:
    """`head`, an expression and `tail`, on one line if it fits, else what its last bracket holds apart."""
    pad = " " * indent
    if fits(head + text + tail, indent):
        return [commented(pad + head + text + tail, comment)]
    text, dot, attribute = text.rpartition(".") if re.search(r"\)\.\w+\Z", text) else (text, "", "")
    opened = _last_bracket(text)
    if opened is None:
        return [f"{pad}{head}(", *_broken(text + dot + attribute, indent + 4), f"{pad}){tail}"]
    literal = opened == 0 and (text[0] == "[" or len(split_arguments(text[1:-1])) > 1)
    inside = _listed(text[opened + 1 : -1], indent + 4, apart=literal)
    return [f"{pad}{head}{text[: opened + 1]}", *inside, f"{pad}{text[-1]}{dot}{attribute}{tail}"]


def _listed(text: str, indent: int, *, apart: bool = False) -> list[str]:
    """What a bracket holds: on one line if it fits, unless it is a literal; else an item a line."""
    if fits(text, indent) and not apart:
        return [" " * indent + text]
    items = split_arguments(text)
    if len(items) == 1 and not apart:
        return _broken(text, indent)
    return [line for item in items for line in _with_comma(_broken(item, indent, room=1))]


def _with_comma(lines: list[str]) -> list[str]:
    return [*lines[:-1], f"{lines[-1]},"]


def _broken(text: str, indent: int, room: int = 0) -> list[str]:
    """An expression inside brackets: at its loosest operators, then at its last bracket."""
    if fits(text, indent + room):
        return [" " * indent + text]
    for words in _OPERATORS:
        cuts = [0, *(position for position in _outside(text) if text.startswith(words, position)), len(text)]
        if len(cuts) > 2:
            return [line for a, b in pairwise(cuts) for line in _broken(text[a:b].strip(), indent)]
    return statement("", text, indent) if _last_bracket(text) is not None else [" " * indent + text]


# Loosest first. Operators stand between spaces.
_OPERATORS = (
    (" for ",), (" if ", " else "), (" or ",), (" and ",), (" == ", " != ", " < ", " <= ", " > ", " >= "),
    (" | ",), (" & ",), (" + ", " - "), (" * ", " / ", " // ", " % ", " @ "),
)  # fmt: skip


def _last_bracket(text: str) -> int | None:
    """Where the bracket opens that closes at the very end: a call's, or one around all of it."""
    if not text.endswith((")", "]")):
        return None
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        depth += {")": 1, "]": 1, "}": 1, "(": -1, "[": -1, "{": -1}.get(text[position], 0)
        if depth == 0:
            called = position > 0 and text[position] == "(" and (text[position - 1].isalnum() or text[position - 1] == "_")
            return position if called or position == 0 else None
    return None


def _outside(text: str) -> Iterator[int]:
    """Positions that are in no bracket and in no string."""
    depth, quoted = 0, False
    for position, character in enumerate(text):
        quoted ^= character == '"'
        depth += 0 if quoted else {")": -1, "]": -1, "}": -1, "(": 1, "[": 1, "{": 1}.get(character, 0)
        if depth == 0 and not quoted:
            yield position


def split_arguments(text: str) -> list[str]:
    """Arguments at the top level of a call."""
    cuts = [-1, *(position for position in _outside(text) if text[position] == ","), len(text)]
    return [text[a + 1 : b].strip() for a, b in pairwise(cuts)]
