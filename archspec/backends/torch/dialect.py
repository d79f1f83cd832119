"""Operations that exist only in the torch backend, between its passes and its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archspec.dims import num as n
from archspec.dims.expr import Expr
from archspec.dims.num import Num
from archspec.ir.op import Op
from archspec.ir.types import TensorType, broadcast


@dataclass(frozen=True, slots=True)
class Mask(Op):
    """The mask of an attention as booleans: [B or 1, H or 1, Q, K], true where a query may look.

    `implied`: the attention itself knows `k <= q`, so that the mask may be absent where that is all.
    Operands are called `operands` in `rule`, numbers by `names`.
    """

    dialect: ClassVar = "torch"
    rule: Expr
    start: Num
    queries: Num
    keys: Num
    operands: tuple[str, ...]
    names: tuple[tuple[str, Num], ...]
    implied: bool

    def infer(self, *operands: TensorType | None) -> tuple[TensorType, ...]:
        one = n.num(1)
        batch = next((t.shape[0] for t in operands if t is not None and t.rank >= 2), one)
        return (TensorType("bool", (batch, one, self.queries, self.keys)),)


@dataclass(frozen=True, slots=True)
class MaskedBias(Op):
    """A score bias, -inf (the dtype's least number) where the mask is false: bias [..., Q, K], mask -> 4 axes."""

    dialect: ClassVar = "torch"

    def infer(self, bias: TensorType, mask: TensorType | None) -> tuple[TensorType, ...]:
        lead = (n.num(1),) * (4 - bias.rank)
        shape = (*lead, *bias.shape)
        return (TensorType(bias.dtype, shape if mask is None else broadcast(shape, mask.shape)),)


@dataclass(frozen=True, slots=True)
class Attend(Op):
    """`Attention` with its mask made: q, k, v, mask or bias, and how. `causal`: an absent mask means `k <= q`."""

    dialect: ClassVar = "torch"
    implementation: str
    scale: Num
    softcap: Num | None
    dropout: Num
    causal: bool
    biased: bool

    def infer(self, q: TensorType, k: TensorType, v: TensorType, *more: TensorType | None) -> tuple[TensorType, ...]:
        return (q.with_shape(*q.shape[:3], v.shape[3]),)
