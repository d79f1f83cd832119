"""`rope`: rotary positions, as an argument of `attention`, and alone for attention wired in the spec."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from archspec.components.base import Component, Place, Problem
from archspec.components.fields import Fields
from archspec.components.slots import Positive, Size, Slot, Tensor
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Handle, Results
from archspec.ir.ops.attention import Rope as RopeOp
from archspec.ir.ops.attention import RopeFrequencies, RopeTable
from archspec.ir.ops.source import Iota
from archspec.ir.types import is_float

THETA = n.num(10000.0)


class RopeFields(Fields, frozen=True):
    """Rotary positions (Su et al. 2021): `dim` features of a head turn, by position / theta^(2i / dim).

    `theta` is 10,000 unless given; `frequencies` [dim / 2], in radians per position, stand in place of both.
    `angles` [(B,) S, dim / 2], in radians, stand in place of positions and frequencies: for positions along
    several axes. `scale` multiplies cos and sin.
    """

    theta: Positive | None = None
    dim: Size | None = None
    layout: Annotated[Literal["half", "interleaved"], Slot("word")] = "half"
    positions: Tensor | None = None
    frequencies: Tensor | None = None
    angles: Tensor | None = None
    scale: Positive = n.num(1)

    def table(self, at: Place, length: Num, width: Num) -> Results:
        """cos and sin [(B,) S, dim / 2] for heads of this width."""
        b = at.builder
        if self.angles is not None:
            return b.results(RopeTable(self.scale), self._alone(self.angles), names=("cos", "sin"))
        positions = self.positions or b.apply(Iota(length, at.seen(length)), name="positions")
        frequencies = self._given(width)
        if frequencies is None:
            frequencies = b.apply(RopeFrequencies(self.dim or width, self.theta or THETA), name="frequencies")
        return b.results(RopeTable(self.scale), positions, frequencies, names=("cos", "sin"))

    def _alone(self, angles: Handle) -> Handle:
        """Raises `Problem` for angles beside what they stand in place of."""
        if self.theta or self.dim or self.frequencies or self.positions:
            message = "rope takes 'angles' in place of 'positions', 'frequencies', 'theta' and 'dim'"
            raise Problem("L023", message, "rope", "leave the others out")
        return angles

    def _given(self, width: Num) -> Handle | None:
        """Raises `Problem` for frequencies that do not fit heads of this width."""
        given = self.frequencies
        if given is None:
            return None
        if self.theta or self.dim:
            message = "rope takes its frequencies from 'frequencies' or from 'theta' and 'dim', not from both"
            raise Problem("L023", message, "rope", "leave 'theta' and 'dim' out")
        if given.type.rank != 1 or not is_float(given.type.dtype):
            message = f"rope takes frequencies as float [dim / 2], not {given.type}"
            raise Problem("T005", message, "rope", "write radians per position, one number for each pair")
        pairs = given.type.shape[0]
        if pairs.static and width.static and 2 * int(pairs) > int(width):
            message = f"{pairs.described()} frequencies are too many for {width.described()} features"
            raise Problem("T004", message, "rope", "give one for each pair of features, or for fewer pairs")
        return given


class Rope(Component, RopeFields, frozen=True):
    """Turns the first `dim` features of x [B, H, S, E] by their positions (Su et al. 2021).

    Arguments as those of `rope` in attention; positions count from the tokens already seen unless given.
    """

    words: ClassVar = ("rope",)

    def lower(self, at: Place, *inputs: Handle) -> Results:
        b, x = at.builder, inputs[0]
        if x.type.rank != 4:
            raise Problem("T005", f"rope takes [B, heads, length, width], not {x.type}", "in")
        table = self.table(at, x.type.shape[2], x.type.shape[3])
        return (b.apply(RopeOp(self.layout), x, *table, name=at.value_name),)
