"""A region's forward method: values become variables, single uses are written where they are used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archspec.backends.torch.code import Code
from archspec.backends.torch.copied import runtime_names
from archspec.backends.torch.layout import fits, statement
from archspec.backends.torch.python import literal, python
from archspec.backends.torch.scope import Pending, Variables, stem
from archspec.backends.torch.words import READ
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.ops.shape import Permute, Reshape
from archspec.ir.types import TensorType

if TYPE_CHECKING:
    from archspec.backends.torch.module import Module

MAX_DEPTH = 5
INLINE = "value"  # what the lowering calls an operand that is an expression
DEVICE, DTYPE = "@device", "@dtype"  # among the sizes that a method is told; no size is called so

Operands = Sequence[Value | None]


@dataclass(slots=True)
class Body:
    """The statements of one method under construction."""

    module: Module
    region: Region
    indent: int = 8
    lines: list[str] = field(default_factory=list[str])
    pending: dict[str, Pending] = field(default_factory=dict[str, Pending])
    variables: Variables = field(default_factory=lambda: Variables({}))

    def begin(self, inputs: Sequence[Value], nodes: Sequence[Node], outputs: Sequence[Value]) -> None:
        """Count the reads of every value, and take the inputs as variables."""
        reads = Counter(v.name for node in nodes for v in node.inputs if v is not None)
        reads.update(v.name for v in outputs)
        self.variables.left = dict(reads)
        self.variables.blocked |= {"cache", *self.module.classes.dims} | runtime_names()
        for param in self.region.params:
            self.pending[param.name] = Pending(Code(f"self.{param.name}"), (), 0)
        for value in inputs:
            self.variables.bind(self.module.words.get(value.name, value.name), value)

    # numbers

    def number(self, number: Num) -> Code:
        """The number in this method: literals, `self.` names of static ones, sizes of tensors at hand."""
        if number.static:
            return self.static(number)
        found = self.variables.size(number)
        if found is not None:
            return Code(found)
        if isinstance(number.value, poly.Poly) and number.value == poly.symbol(str(number)):
            return self.variables.solved(str(number)) or Code(self.told(str(number)))
        known = {
            name: n.num(v.size) if name in n.reads(v) else v  # a name of the scope around, not this one
            for name, v in self.region.bindings
            if isinstance(v, Num) and not v.static
        }
        known |= {name: n.symbol(name) for name in (*self.module.classes.dims, "past")}
        expr = number.expr if n.reads(number) <= known.keys() else n.num(number.size).expr
        return python(expr, lambda word: self.number(known[word]).atom, self.module.parts.require)

    def static(self, number: Num) -> Code:
        module = self.module
        if not n.reads(number) <= module.static_names:
            return literal(number.value, module.parts.require)
        return python(number.expr, lambda word: f"self.{module.attribute(word)}", module.parts.require)

    def told(self, size: str) -> str:
        """The parameter by which the method is told a size, the device or the dtype that it cannot see."""
        if size not in self.module.sizes:
            word = size.removeprefix("@")
            while word in READ or word in self.variables.holds:
                word += "_"
            self.module.sizes[size] = word
        return self.module.sizes[size]

    def device(self) -> str:
        tensor = self._tensor(lambda value: True)
        return f"{tensor}.device" if tensor else self.told(DEVICE)

    def handed(self, size: str) -> str:
        """What a module in here is handed for a size, the device or the dtype that it cannot see."""
        if size in (DEVICE, DTYPE):
            return self.device() if size == DEVICE else self.model_dtype()
        return self.number(n.symbol(size)).text

    def model_dtype(self) -> str:
        tensor = self._tensor(lambda value: value.type.dtype == "float")
        return f"{tensor}.dtype" if tensor else self.told(DTYPE)

    def _tensor(self, fits_in: Callable[[Value], bool]) -> str | None:
        """A tensor to ask for its device or dtype: a variable, else a parameter."""
        held = (name for name, v in self.variables.holds.items() if not v.optional and fits_in(v))
        found = next(held, None)
        path = None if found else self.module.any_parameter()
        return found or (f"self.{path}" if path else None)

    # values

    def operand(self, value: Value | None) -> Code | None:
        """A value as an expression; None for one that is absent."""
        if value is None:
            return None
        if value.name in self.pending:
            return self.pending[value.name].code
        return Code(self.variables.named[value.name])

    def text(self, value: Value | None) -> str:
        code = self.operand(value)
        return code.text if code else "None"

    def reads(self, values: Operands) -> tuple[str, ...]:
        """Values in variables that an expression over these values reads."""
        return tuple(name for names, _ in self._nested(values) for name in names)

    def depth(self, values: Operands) -> int:
        return 1 + max((depth for _, depth in self._nested(values)), default=0)

    def _nested(self, values: Operands) -> Iterator[tuple[tuple[str, ...], int]]:
        for value in values:
            if value is not None:
                waiting = self.pending.get(value.name)
                yield (waiting.reads, waiting.depth) if waiting else ((value.name,), 0)

    def settle(self, values: Operands, build: Callable[[], Code]) -> Code:
        """`build()`, with operands put into variables, longest first, until the line fits."""
        while True:
            code = build()
            waiting = [v for v in values if v is not None and self._is_written(v)]
            deep = any(self.pending[v.name].depth >= MAX_DEPTH for v in waiting)
            if not waiting or (fits(f"return {code.text}", self.indent + 8) and not deep):
                return code
            self.materialise(max(waiting, key=lambda v: len(self.pending[v.name].code.text)))

    def _is_written(self, value: Value) -> bool:
        """Whether a value is an expression, not just a parameter."""
        waiting = self.pending.get(value.name)
        return waiting is not None and (not waiting.code.text.startswith("self.") or "(" in waiting.code.text)

    def owns(self, value: Value) -> bool:
        """Whether a value is a parameter of this module."""
        return any(param.value == value for param in self.region.params)

    def materialise(self, value: Value, name: str | None = None) -> None:
        """Write a pending expression into a variable of its own, or into one that is free."""
        waiting = self.pending.pop(value.name)
        self.assign((value,), waiting.code, waiting.reads, name)

    def flush(self) -> None:
        """Write all that is pending, in order."""
        made = {v.name: v for node in self.region.nodes for v in node.outputs}
        for name in [name for name in self.pending if name in made]:
            self.materialise(made[name])

    def give(self, outputs: Sequence[Value], code: Code, inputs: Operands) -> None:
        """The results of a node: a single one waits for its one reader, others go into variables."""
        reads, depth = self.reads(inputs), self.depth(inputs)
        for value in inputs:
            if value is not None and not self.owns(value):
                self.pending.pop(value.name, None)
        first = outputs[0]
        if len(outputs) == 1 and self.variables.left.get(first.name, 0) <= 1 and not first.optional:
            self.pending[first.name] = Pending(code, reads, depth)
        else:
            self.assign(outputs, code, reads)

    def assign(
        self, values: Sequence[Value], code: Code, reads: tuple[str, ...], name: str | None = None
    ) -> None:
        """`a, b = code`; a result that nobody reads is `_`, and a single one can be given its `name`."""
        self.variables.read(reads)
        before = dict(self.variables.holds)
        names = [self.new(value, name) if self.variables.is_read(value) else "_" for value in values]
        self.write(", ".join(names), code.text, _shape_if_news(names[0], values, before))

    def new(self, value: Value, name: str | None = None) -> str:
        """A variable for a value, which holds it from here on."""
        name = name or self.variables.choose(self.hint(value))
        self.variables.bind(name, value)
        return name

    def hint(self, value: Value) -> str:
        """What a value would like to be called: as the spec calls it, `x` where nobody gave it a name.

        An operand that the spec computes in place is called after what it moves: `q` for `rearrange(q, …)`.
        """
        makers = (node for node in self.region.nodes if isinstance(node, Apply))
        maker = next((node for node in makers if value in node.outputs), None)
        moved = maker.inputs[0] if maker is not None and isinstance(maker.op, (Reshape, Permute)) else None
        if moved is not None and stem(value.name) == INLINE:
            return self.hint(moved)
        unnamed = maker is not None and not hasattr(maker.op, "dialect") and stem(value.name) == maker.op.name
        return "x" if unnamed else value.name

    def write(self, target: str, text: str, comment: str | None = None) -> None:
        self.lines += statement(f"{target} = ", text, self.indent, comment)

    def line(self, text: str) -> None:
        self.lines.append(" " * self.indent + text)

    def results(self, outputs: Sequence[Value]) -> list[str]:
        """The outputs as expressions."""
        return [self.text(value) for value in outputs]


def _shape_if_news(name: str, values: Sequence[Value], before: dict[str, Value]) -> str | None:
    """The shape of a result, for a comment; None where the variable had that shape before."""
    first, old = values[0], before.get(name)
    if any(v.type != first.type for v in values) or first.type.rank < 2:
        return None
    return None if old is not None and old.type == first.type else shape_text(first.type)


def shape_text(type_: TensorType) -> str:
    return "[" + ", ".join(str(d) for d in type_.shape) + "]"
