"""`embedding` and `learned_positions`: tables looked up by integers."""

from __future__ import annotations

from typing import ClassVar

from archspec.components.base import Component, Place, Problem, last
from archspec.components.slots import Count, Initial, Size, Tensor
from archspec.dims import num as n
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.graph import Init
from archspec.ir.ops.elementwise import Arith, Scalar
from archspec.ir.ops.shape import Gather
from archspec.ir.ops.source import Iota
from archspec.ir.types import INTEGERS

UNIT_NORMAL = Init("normal", n.num(0.0), n.num(1.0))


class Embedding(Component, frozen=True):
    """Row `id` of a table: integers [...] -> [..., dim]. Parameter weight [num, dim]."""

    words: ClassVar = ("embedding",)
    num: Size
    dim: Size
    init: Initial = UNIT_NORMAL

    def lower(self, at: Place, *inputs: Handle) -> Results:
        if inputs[0].type.dtype not in INTEGERS:
            raise Problem("T006", f"an embedding looks up integers, not {inputs[0].type}", "in")

        def body(b: Builder, given: Results) -> Results:
            return (
                b.apply(Gather(0), b.param("weight", (self.num, self.dim), self.init), given[0], name="rows"),
            )

        return at.module("embedding", body, *inputs)


class LearnedPositions(Component, frozen=True):
    """x + table[position + offset], one learned row per position: [B, S, D] -> [B, S, D].

    Parameter weight [max + offset, D].
    Positions count from the tokens already seen, unless `positions` [S] or [B, S] says otherwise.
    """

    words: ClassVar = ("learned_positions",)
    max: Size
    offset: Count = n.num(0)
    positions: Tensor | None = None
    init: Initial = UNIT_NORMAL

    def lower(self, at: Place, *inputs: Handle) -> Results:
        x = inputs[0]
        positions = self.positions or self._counted(at, x)
        if int(self.offset):
            positions = at.builder.apply(Scalar("add", self.offset), positions, name="positions")
        table = Embedding(num=self.max + self.offset, dim=last(x.type), init=self.init)
        rows = table.lower(at, positions)[0]
        return (at.builder.apply(Arith("add"), x, rows, name=at.value_name),)

    @staticmethod
    def _counted(at: Place, x: Handle) -> Handle:
        if x.type.rank < 2:
            raise Problem("T005", f"positions need [..., S, D], not {x.type}", "in")
        size = x.type.shape[-2]
        return at.builder.apply(Iota(size, at.seen(size)), name="positions")
