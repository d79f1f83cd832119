"""What exists only in the torch backend, between its passes and its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from archspec.backends.torch.kernels.description import Description
from archspec.dims import num as n
from archspec.dims.expr import Expr, Index, Name, names
from archspec.dims.num import Num
from archspec.ir.graph import Call, Region, Repeat
from archspec.ir.op import Op
from archspec.ir.ops.recurrence import Scan
from archspec.ir.ops.shape import Pad, Roll
from archspec.ir.score import Reading
from archspec.ir.types import TensorType, broadcast

MASK = 3  # which operand of an attention


class Mask(Op, frozen=True):
    """The mask of an attention as booleans: [B, H, Q, K], true where a query may look.

    An axis that the rule does not look at has size 1. Operands are called `operands` in `rule`, numbers by
    `names`. `implied`: the attention itself knows `k <= q`, so that the mask may be absent where that is all.
    `blocks`: it is made for blocks of queries and the keys that these reach, where that saves work;
    `documents`: for one document after another.
    """

    dialect: ClassVar = "torch"
    rule: Expr
    start: Num
    queries: Num
    keys: Num
    operands: tuple[str, ...]
    names: tuple[tuple[str, Num], ...]
    implied: bool
    blocks: bool = False
    documents: bool = False

    def infer(self, *operands: TensorType | None) -> tuple[TensorType, ...]:
        used, one = set(names(self.rule)), n.num(1)
        batch = next((t.shape[0] for t in operands if t is not None and "b" in used), one)
        heads = next((t.shape[-1] for t in operands if t is not None and t.rank == 1 and "h" in used), one)
        queries, keys = (
            size if axis in used else one for axis, size in (("q", self.queries), ("k", self.keys))
        )
        return (TensorType("bool", (batch, heads, queries, keys)),)


class FlexMask(Mask, frozen=True):
    """A mask as FlexAttention takes it: a condition at a pair, and which blocks of pairs it lets through."""

    dialect: ClassVar = "torch"


class Score(Op, frozen=True):
    """What a rule adds to the scores: [B, H, Q, K], from the first axis that it looks at, or from Q on.

    A later axis that it does not look at has size 1. Operands are called `operands` in `rule`, numbers by
    `names`. What is looked up has its tensor's dtype; what is computed is in fp32, or an integer.
    """

    dialect: ClassVar = "torch"
    rule: Expr
    start: Num
    batch: Num
    heads: Num
    queries: Num
    keys: Num
    operands: tuple[str, ...]
    names: tuple[tuple[str, Num], ...]

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        used, one = set(names(self.rule)), n.num(1)
        sizes = {"b": self.batch, "h": self.heads, "q": self.queries, "k": self.keys}
        first = 0 if "b" in used else 1 if "h" in used else 2
        shape = [size if place in used else one for place, size in sizes.items()]
        return (TensorType(self._dtype(dict(zip(self.operands, operands, strict=True))), (*shape[first:],)),)

    def _dtype(self, types: Mapping[str, TensorType]) -> str:
        if isinstance(self.rule, Index) and isinstance(self.rule.base, Name):
            return types[self.rule.base.id].dtype
        return "int64" if Reading(types, dict(self.names), {}).whole(self.rule) else "float32"


class FlexScore(Score, frozen=True):
    """The same as FlexAttention takes it: a function of a score and its place."""

    dialect: ClassVar = "torch"

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        return (TensorType("float32", ()),)


class MaskedBias(Op, frozen=True):
    """A score bias, the dtype's least number where the mask is false: bias [..., Q, K], mask -> 4 axes."""

    dialect: ClassVar = "torch"

    def infer(self, bias: TensorType, mask: TensorType | None) -> tuple[TensorType, ...]:
        shape = (*(n.num(1),) * (4 - bias.rank), *bias.shape)
        return (TensorType(bias.dtype, shape if mask is None else broadcast(shape, mask.shape)),)


class SinkBias(Op, frozen=True):
    """What is added to the scores of `keys` keys, and the score of nothing: sinks [H], mask or bias."""

    dialect: ClassVar = "torch"
    keys: Num

    def infer(self, sinks: TensorType, mask: TensorType | None) -> tuple[TensorType, ...]:
        one = n.num(1)
        lead = (one, one, one) if mask is None else mask.shape[:3]
        return (TensorType(sinks.dtype, (lead[0], sinks.shape[0], lead[2], self.keys + one)),)


class Attending(Op, frozen=True):
    """An `Attention` on its way to source: q, k, v, and what else it is handed."""

    dialect: ClassVar = "torch"

    def infer(
        self, q: TensorType, k: TensorType, v: TensorType, *more: TensorType | None
    ) -> tuple[TensorType, ...]:
        return (q.with_shape(*q.shape[:3], v.shape[3]),)


class Attend(Attending, frozen=True):
    """`Attention` with its mask made: q, k, v, mask or bias, sinks where they are not in it, and how.

    `start`: the position of the first query. `causal`: where that is the first key, no mask means `k <= q`.
    `biased`: the fourth operand is a bias. `blocks`, `documents`: the mask may be one in blocks, or by
    documents. `chosen`: a sixth operand [B, Q] is false for queries whose result nobody may use, and a
    seventh, where there is one, stands there.
    """

    dialect: ClassVar = "torch"
    implementation: str
    scale: Num
    softcap: Num | None
    dropout: Num
    start: Num
    causal: bool
    biased: bool
    blocks: bool = False
    chosen: bool = False
    documents: bool = False


class AttendByKernel(Attending, frozen=True):
    """An `Attention` that generated kernels compute.

    Operands: q, k, v, what rule and score look up, and sinks where there are any.
    `module`: the kernels' file; `numbers`: what the call gives rule and score.
    """

    dialect: ClassVar = "torch"
    module: str
    description: Description
    numbers: tuple[Num, ...]
    scale: Num
    softcap: Num | None
    dropout: Num
    start: Num


class AttendWhere(Attending, frozen=True):
    """`there` in layers that have the number `word`, `absent` in those that lack it: the same operands."""

    dialect: ClassVar = "torch"
    word: str
    there: AttendByKernel
    absent: AttendByKernel


class AttendByFlex(Attending, frozen=True):
    """An `Attention` by FlexAttention. Operands: q, k, v, a `FlexMask`, a `FlexScore`, bias, sinks."""

    dialect: ClassVar = "torch"
    scale: Num
    softcap: Num | None
    dropout: Num


class AttendRows(Op, frozen=True):
    """An `Attend` of chosen queries, and the linear modules before it.

    Operands: x [B, S, D], three modules as `Handed` gives them, mask, which queries [B, S], what stands for
    the others [B, H, S, E].
    """

    dialect: ClassVar = "torch"
    heads: Num
    scale: Num
    dropout: Num


class Moves(Op, frozen=True):
    """Pads of one value, or rolls, each along an axis of its own."""

    dialect: ClassVar = "torch"
    steps: tuple[Pad | Roll, ...]

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        for step in self.steps:
            (x,) = step.infer(x)
        return (x,)


class Select(Op, frozen=True):
    """The elements at `index` of an axis, which the result lacks; from the end where that is negative."""

    dialect: ClassVar = "torch"
    axis: int
    index: Num

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        return (x.with_shape(*x.shape[: self.axis], *x.shape[self.axis + 1 :]),)


class ScanOver(Scan, frozen=True):
    """A scan whose b nobody else reads: all h may be written over it."""

    dialect: ClassVar = "torch"


class OuterScan(Op, frozen=True):
    """h_t = a_t * h_(t-1) + x_t w_t^T along `axis`, read as y_t = h_t c_t: all y, and the last h.

    a [.., S, ..], x [.., S, .., P], w and c [.., S, .., N], first [.., P, N]; what stands before P and N
    broadcasts.
    """

    dialect: ClassVar = "torch"
    axis: int

    def infer(
        self, a: TensorType, x: TensorType, w: TensorType, c: TensorType, first: TensorType
    ) -> tuple[TensorType, ...]:
        lead = broadcast(a.shape, *(operand.shape[:-1] for operand in (x, w, c)))
        return first.with_shape(*lead, x.shape[-1]), first


class InPieces(Op, frozen=True):
    """`region`, a scan and what is around it, on one piece of axis `dim` after another.

    Operands: `cut` values that are cut into pieces, what the scan starts from, and what is read whole.
    Results: the region's first one, joined, and the last state.
    """

    dialect: ClassVar = "torch"
    region: Region
    cut: int
    dim: int

    def infer(self, *operands: TensorType | None) -> tuple[TensorType, ...]:
        return tuple(value.type for value in self.region.outputs)


@dataclass(frozen=True, slots=True)
class ByRows(Region):
    """A module of one x [.., D] that treats each row alone, and whose forward method takes some at a time."""


@dataclass(frozen=True, slots=True)
class Handed(Call):
    """A module that an operation is handed and runs itself: the result stands for the module."""


@dataclass(frozen=True, slots=True)
class Layers(Repeat):
    """A loop whose layers differ in what they are handed: variant v takes input `feeds[v][p]` as its p-th."""

    feeds: tuple[tuple[int, ...], ...] = ()
