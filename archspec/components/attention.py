"""`attention`, and the operation inside it, `sdpa`.

`attention` is sugar: linear, split heads, norm, rope, scaled-dot-product attention, merge heads, linear.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from archspec.components.base import Component, Place, Problem, last
from archspec.components.linear import Linear
from archspec.components.norm import LayerNorm, RmsNorm
from archspec.components.rope import RopeFields
from archspec.components.scoring import Scores, attend, remember, with_window
from archspec.components.slots import Flag, Initial, Mask, Positive, Real, Score, Size, Slot, Tensor
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.ops.attention import Rope as RopeOp
from archspec.ir.ops.shape import Permute, Reshape, Split


class Sdpa(Component, frozen=True):
    """Attention without parameters: q [B, H, Q, E], k [B, G, K, E], v [B, G, K, W] -> [B, H, Q, W].

    The value that flows is q unless `q` names another.
    """

    words: ClassVar = ("sdpa",)
    k: Tensor
    v: Tensor
    mask: Mask | None = None
    window: Size | None = None
    score_bias: Score | None = None
    sinks: Tensor | None = None
    scale: Real | None = None
    softcap: Positive | None = None
    dropout: Positive = n.num(0)

    def lower(self, at: Place, *inputs: Handle) -> Results:
        mask = with_window(self.mask, self.window)
        q = inputs[0]
        k, v = remember(at, q.type.shape[2], mask, self.k, self.v)
        scores = Scores(mask, self.score_bias, self.sinks, self.scale, self.softcap, self.dropout)
        return (attend(at, q, k, v, scores),)


class Attention(Component, frozen=True):
    """Multi-head attention (Vaswani et al. 2017): [B, S, D] -> [B, S, out].

    Queries from the value that flows; keys and values from `kv` [B, K, M], or from the same value.
    `num_kv_heads` below `num_heads` shares keys among groups (Ainslie et al. 2023). Modules q, k, v (or
    `qkv`, one matrix, where `qkv: fused`) and out; `qk_norm` puts a norm q_norm, k_norm on each head's
    queries and keys.
    """

    words: ClassVar = ("attention",)
    num_heads: Size
    num_kv_heads: Size | None = None
    head_dim: Size | None = None
    value_dim: Size | None = None
    out: Size | None = None
    kv: Tensor | None = None
    qkv: Annotated[Literal["separate", "fused"], Slot("word")] = "separate"
    bias: Flag = True
    k_bias: Flag | None = None
    out_bias: Flag | None = None
    mask: Mask | None = None
    window: Size | None = None
    score_bias: Score | None = None
    sinks: Tensor | None = None
    scale: Real | None = None
    softcap: Positive | None = None
    rope: RopeFields | None = None
    qk_norm: Annotated[Literal["layernorm", "rmsnorm"], Slot("word")] | None = None
    qk_norm_eps: Positive = n.num(1e-6)
    dropout: Positive = n.num(0)
    init: Initial | None = None
    q_init: Initial | None = None
    kv_init: Initial | None = None
    out_init: Initial | None = None

    def lower(self, at: Place, *inputs: Handle) -> Results:
        x = inputs[0]
        if x.type.rank != 3:
            raise Problem("T005", f"attention takes [B, S, D], not {x.type}", "in", "rearrange it first")

        def body(b: Builder, given: Results) -> Results:
            return (self._attend(at.inside(b, at.name), given[0]),)

        return at.module("attention", body, x)

    def _head_dim(self, b: Builder, x: Handle) -> Num:
        """The width of a head; a derived one gets a name in this module."""
        if self.head_dim is not None:
            return self.head_dim
        width = last(x.type)
        if int(width) % int(self.num_heads):
            hint = "change one of them, or give 'head_dim'"
            raise Problem(
                "T008",
                f"{self.num_heads.described()} heads do not divide the width {width.described()}",
                "num_heads",
                hint,
            )
        head_dim = width // self.num_heads
        b.bindings["head_dim"] = head_dim
        return n.named("head_dim", head_dim)

    def _attend(self, at: Place, x: Handle) -> Handle:
        b, mask = at.builder, with_window(self.mask, self.window)
        groups, head_dim = self.num_kv_heads or self.num_heads, self._head_dim(at.builder, x)
        if int(self.num_heads) % int(groups):
            raise Problem(
                "T008",
                f"{self.num_heads.described()} heads do not divide into {groups.described()} key heads",
                "num_kv_heads",
            )
        inner = last(x.type) if self.head_dim is None else self.num_heads * head_dim
        keys = inner if self.num_kv_heads is None else groups * head_dim
        sizes = (inner, keys, keys if self.value_dim is None else groups * self.value_dim)
        q, k, v = self._project(at, x, sizes)
        q, k = self._split(b, q, self.num_heads, head_dim), self._split(b, k, groups, head_dim)
        v = self._split(b, v, groups, self.value_dim or head_dim)
        q, k = self._turn(at, self._norm(at, q, "q_norm"), self._norm(at, k, "k_norm"))
        k, v = remember(at, x.type.shape[1], mask, k, v)
        scale = self.scale or head_dim**-0.5
        scores = Scores(mask, self.score_bias, self.sinks, scale, self.softcap, self.dropout)
        y = attend(at, q, k, v, scores)
        merged = b.apply(Permute((0, 2, 1, 3)), y, name="merged")
        merged = b.apply(
            Reshape(
                (*merged.type.shape[:2], inner if self.value_dim is None else self.num_heads * self.value_dim)
            ),
            merged,
            name="merged",
        )
        out_bias = self.bias if self.out_bias is None else self.out_bias
        out = Linear(out=self.out or last(x.type), bias=out_bias, init=self.out_init or self.init)
        return out.lower(at.inside(b, "out"), merged)[0]

    def _project(self, at: Place, x: Handle, sizes: tuple[Num, Num, Num]) -> Results:
        b = at.builder
        if self.qkv == "fused":
            if self.kv is not None:
                raise Problem(
                    "L021",
                    "queries and keys of different inputs cannot share one matrix",
                    "qkv",
                    "write 'qkv: separate'",
                )
            if self.k_bias not in (None, self.bias):
                raise Problem(
                    "L021", "one matrix for queries and keys has one bias", "k_bias", "write 'qkv: separate'"
                )
            total = (
                n.num(3) * sizes[0]
                if n.same(sizes[0], sizes[1]) and n.same(sizes[1], sizes[2])
                else sizes[0] + sizes[1] + sizes[2]
            )
            fused = Linear(out=total, bias=self.bias, init=self.init).lower(at.inside(b, "qkv"), x)[0]
            return b.results(Split(-1, sizes), fused, names=("q", "k", "v"))
        source = self.kv or x
        inits = (self.q_init or self.init, self.kv_init or self.init, self.kv_init or self.init)
        biases = (self.bias, self.bias if self.k_bias is None else self.k_bias, self.bias)
        given = zip(("q", "k", "v"), (x, source, source), sizes, biases, inits, strict=True)
        return tuple(
            Linear(out=size, bias=bias, init=init).lower(at.inside(b, name), t)[0]
            for name, t, size, bias, init in given
        )

    @staticmethod
    def _split(b: Builder, x: Handle, heads: Num, head_dim: Num) -> Handle:
        """[B, S, H * E] -> [B, H, S, E]."""
        apart = b.apply(Reshape((*x.type.shape[:2], heads, head_dim)), x, name=x.value.name)
        return b.apply(Permute((0, 2, 1, 3)), apart, name=x.value.name)

    def _norm(self, at: Place, x: Handle, name: str) -> Handle:
        if self.qk_norm is None:
            return x
        norm = {"layernorm": LayerNorm, "rmsnorm": RmsNorm}[self.qk_norm](eps=self.qk_norm_eps)
        return norm.lower(at.inside(at.builder, name), x)[0]

    def _turn(self, at: Place, q: Handle, k: Handle) -> tuple[Handle, Handle]:
        """Queries and keys turned by their positions."""
        if self.rope is None:
            return q, k
        b, size = at.builder, q.type.shape[2]
        if not n.same(size, k.type.shape[2]):
            message = "rope gives queries and keys one set of positions, but their lengths differ"
            raise Problem("L022", message, "rope", "leave 'rope' out where 'kv' is another input")
        table = self.rope.table(at, size, q.type.shape[3])
        turn = RopeOp(self.rope.layout)
        return b.apply(turn, q, *table, name="q"), b.apply(turn, k, *table, name="k")
