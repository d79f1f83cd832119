"""Attention: what is computed, not how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from archspec.dims import num as n
from archspec.dims.expr import Expr, names
from archspec.dims.num import Num
from archspec.ir.op import Mixed, Op
from archspec.ir.score import PLACES, Reading, operations
from archspec.ir.types import (
    Shape,
    TensorType,
    broadcast,
    divides,
    is_float,
    require,
    same_size,
    share,
    whole,
)


class Attention(Op, frozen=True):
    """softmax(cap(q k^T * scale) + bias + score, where mask) v, softmax in fp32.

    q [B, H, Q, E], k [B, G, K, E], v [B, G, K, W] with H a multiple of G; bias broadcasts to [B, H, Q, K].
    `mask` is a boolean expression, true where a query may look: over the indices `b`, `h`, `q`, `k`
    (`q` counts from `start`, so that it and `k` are positions in one sequence), the settings in `names`
    and further operands, called by `operands`; a term whose operand is absent at run time is true.
    `score` is a number at each pair, made of the same (see `ir.score`) and computed in fp32:
    `slopes[h] * (k - q)`, `table[h, k - q + far]`. The elements that it looks up have to be there.
    `softcap` c: cap(s) = c * tanh(s / c). Dropout acts on the softmax's result.
    `sinks` [H]: the score of a further key whose value is 0, beside the capped, biased, visible ones: what a
    head gives to nothing (Xiao et al. 2023, arXiv:2309.17453).
    Operands: q, k, v, bias, sinks, then what mask and score look up. A row that sees nothing is undefined.
    """

    work: ClassVar = "product"
    scale: Num
    mask: Expr | None
    start: Num
    operands: tuple[str, ...]
    names: tuple[tuple[str, Num], ...]
    softcap: Num | None
    dropout: Num
    score: Expr | None = None

    @property
    def scored(self) -> tuple[str, ...]:
        """The operands that the score looks up."""
        read = set(names(self.score)) if self.score is not None else set[str]()
        return tuple(word for word in self.operands if word in read)

    def infer(
        self,
        q: TensorType,
        k: TensorType,
        v: TensorType,
        bias: TensorType | None = None,
        sinks: TensorType | None = None,
        *more: TensorType,
    ) -> tuple[TensorType, ...]:
        for x, name in ((q, "q"), (k, "k"), (v, "v")):
            fits = x.rank == 4 and is_float(x.dtype)
            require(fits, "T005", f"attention takes {name} as float [B, heads, length, width], not {x}")
            same_size(x.shape[0], q.shape[0], f"attention: {name}'s batch against q's")
        same_size(q.shape[3], k.shape[3], "attention: q's width against k's")
        same_size(k.shape[2], v.shape[2], "attention: k's length against v's")
        same_size(k.shape[1], v.shape[1], "attention: k's heads against v's")
        heads, groups = q.shape[1], k.shape[1]
        divides(
            heads,
            groups,
            f"{heads.described()} query heads do not divide into {groups.described()} key heads",
        )
        if bias is not None:
            self._check_bias(bias, (q.shape[0], q.shape[1], q.shape[2], k.shape[2]))
        if sinks is not None:
            fits = sinks.rank == 1 and is_float(sinks.dtype)
            require(fits, "T005", f"attention takes sinks as float [heads], not {sinks}")
            same_size(sinks.shape[0], heads, "attention: the sinks against q's heads")
        share(self.dropout, "attention dropout")
        self._check_rules(more, q)
        return (q.with_shape(q.shape[0], q.shape[1], q.shape[2], v.shape[3]),)

    @staticmethod
    def _check_bias(bias: TensorType, scores: Shape) -> None:
        fits = all(n.same(a, b) for a, b in zip(broadcast(bias.shape, scores), scores, strict=False))
        require(fits and bias.rank <= 4, "T003", f"bias {bias} does not broadcast to the scores")

    def _check_rules(self, given: tuple[TensorType, ...], q: TensorType) -> None:
        fits = len(given) == len(self.operands)
        require(fits, "T013", f"the mask reads {len(self.operands)} tensors, but is given {len(given)}")
        known = {*PLACES, *self.operands, *(name for name, _ in self.names)}
        unknown = sorted(set(names(self.mask)) - known if self.mask is not None else ())
        require(not unknown, "T015", f"the mask reads {', '.join(unknown)}, but is not given it")
        if self.score is not None:
            tensors = dict(zip(self.operands, given, strict=True))
            sizes = {"b": q.shape[0], "h": q.shape[1]}
            Reading(tensors, dict(self.names), sizes).whole(self.score)

    def mixes(self, q: TensorType, *_: TensorType | None) -> Mixed:
        return (-1,), (2, 3), (2,)

    def flops(self, q: TensorType, k: TensorType, v: TensorType, *_: TensorType | None) -> Num:
        """Of all pairs of a query and a key, whatever the mask: 2 B H Q K (E + W)."""
        return 2 * n.product(q.shape[:3]) * k.shape[2] * (q.shape[3] + v.shape[3])

    def backward_flops(self, needed: Sequence[bool], *types: TensorType) -> Num:
        """dV, and for the gradients before it dP, are products of width W; dQ and dK of width E."""
        q, k, v = types[:3]
        per_width = 2 * n.product(q.shape[:3]) * k.shape[2]
        scored = (5 + i for i, word in enumerate(self.operands) if word in self.scored)
        places = (0, 1, 3, 4, *scored)
        scores = any(needed[i] for i in places if i < len(needed))
        return per_width * (sum(needed[:2]) * q.shape[3] + (scores + needed[2]) * v.shape[3])

    def elementwise(
        self,
        q: TensorType,
        k: TensorType,
        v: TensorType,
        bias: TensorType | None = None,
        *_: TensorType | None,
    ) -> Num:
        """Per pair: scale, softmax (5), where there is one, bias (1), cap (3), score (1 and its own).

        The mask is not counted.
        """
        added = 0 if self.score is None else 1 + operations(self.score)
        each = 6 + (bias is not None) + 3 * (self.softcap is not None) + added
        return each * n.product(q.shape[:3]) * k.shape[2]


class RopeFrequencies(Op, frozen=True):
    """theta^(-2i / dim) radians per position for i < dim / 2 (Su et al. 2021), in fp32: [dim / 2]."""

    work: ClassVar = "elementwise"
    dim: Num
    theta: Num

    def infer(self) -> tuple[TensorType, ...]:
        width = whole(self.dim, "rope's width", 2)
        require(width % 2 == 0, "T008", f"rope turns pairs: {self.dim.described()} is odd")
        return (TensorType("float32", (n.num(width // 2),)),)


class RopeTable(Op, frozen=True):
    """cos and sin of position * frequency, or of the angles themselves, times `scale`, in fp32.

    positions [..., S], frequencies [F] in radians per position -> cos, sin [..., S, F].
    Without frequencies, angles [..., S, F] in radians -> cos, sin [..., S, F].
    """

    work: ClassVar = "elementwise"
    scale: Num = n.num(1)

    def infer(self, positions: TensorType, frequencies: TensorType | None = None) -> tuple[TensorType, ...]:
        if frequencies is None:
            fits = positions.rank > 1 and is_float(positions.dtype)
            require(fits, "T005", f"rope takes angles as float [(B,) S, dim / 2], not {positions}")
            return (positions.with_dtype("float32"),) * 2
        fits = frequencies.rank == 1 and is_float(frequencies.dtype)
        require(fits, "T005", f"rope takes frequencies as float [dim / 2], not {frequencies}")
        table = TensorType("float32", (*positions.shape, *frequencies.shape))
        return table, table

    def elementwise(self, positions: TensorType, frequencies: TensorType | None = None) -> Num:
        """The angle, its cos and sin, and both times the scale."""
        each = 2 + (frequencies is not None) + 2 * (self.scale.value != 1)
        return each * n.product(self.infer(positions, frequencies)[0].shape)


class Rope(Op, frozen=True):
    """Turns pairs of the first `dim` features by the table's angles.

    x [B, H, S, E], cos and sin [(B,) S, dim / 2].
    `half` pairs feature i with i + dim / 2; `interleaved` pairs 2i with 2i + 1.
    """

    work: ClassVar = "elementwise"
    layout: str = "half"

    def infer(self, x: TensorType, cos: TensorType, sin: TensorType) -> tuple[TensorType, ...]:
        require(self.layout in ("half", "interleaved"), "T010", f"unknown rope layout '{self.layout}'")
        require(
            x.rank == 4 and is_float(x.dtype), "T005", f"rope turns float [B, heads, length, width], not {x}"
        )
        require(
            cos.rank in (2, 3) and cos == sin,
            "T005",
            f"rope takes cos and sin [(B,) S, dim / 2], not {cos} and {sin}",
        )
        same_size(cos.shape[-2], x.shape[-2], "rope: the table's length against x's")
        turned, width = (
            2 * whole(cos.shape[-1], "the rope table's width"),
            whole(x.shape[-1], "rope: the width"),
        )
        require(turned <= width, "T004", f"rope turns {turned} of only {x.shape[-1].described()} features")
        return (x,)

    def elementwise(self, x: TensorType, cos: TensorType, sin: TensorType) -> Num:
        """Two products and a sum per feature that is turned."""
        return 6 * n.product(x.shape[:-1]) * cos.shape[-1]
