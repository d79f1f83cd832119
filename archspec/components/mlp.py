"""`mlp`: two or three linear maps around an activation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from archspec.components.base import Component, Place, last
from archspec.components.elementwise import Activation, activate
from archspec.components.linear import Linear
from archspec.components.slots import Flag, Initial, Positive, Size, Slot
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.ops.elementwise import Arith, Dropout
from archspec.ir.ops.shape import Split


class Mlp(Component, frozen=True):
    """down(act(up(x))), or gated (Shazeer 2020): down(act(gate(x)) * up(x)).

    `fused`: gate and up are one matrix `up`, whose `gate` half (first or second) is activated.
    `dropout` acts on the inner value.
    """

    words: ClassVar = ("mlp",)
    intermediate_size: Size
    activation: Activation = "gelu"
    gated: Flag = False
    fused: Flag = False
    gate: Annotated[Literal["first", "second"], Slot("word")] = "first"
    out: Size | None = None
    bias: Flag = True
    dropout: Positive = n.num(0)
    init: Initial | None = None
    up_init: Initial | None = None
    down_init: Initial | None = None

    def lower(self, at: Place, *inputs: Handle) -> Results:
        def body(b: Builder, given: Results) -> Results:
            inner = self._inner(at.inside(b, "up"), given[0])
            if self.dropout.value:
                inner = b.apply(Dropout(self.dropout), inner)
            out = self._linear(self.out or last(given[0].type), self.down_init or self.init)
            return out.lower(at.inside(b, "down"), inner)

        return at.module("mlp", body, *inputs)

    def _linear(self, out: Num, init: Initial | None) -> Linear:
        return Linear(out=out, bias=self.bias, init=init)

    def _inner(self, at: Place, x: Handle) -> Handle:
        size, init = self.intermediate_size, self.up_init or self.init
        if not self.gated:
            return activate(at, self.activation, self._linear(size, init).lower(at, x)[0])
        if self.fused:
            both = self._linear(size * 2, init).lower(at, x)[0]
            halves = at.builder.results(Split(-1, (size, size)), both, names=("gate", "up"))
            gate, up = halves if self.gate == "first" else halves[::-1]
        else:
            gate = self._linear(size, init).lower(at.inside(at.builder, "gate"), x)[0]
            up = self._linear(size, init).lower(at, x)[0]
        return at.builder.apply(Arith("mul"), activate(at, self.activation, gate), up)
