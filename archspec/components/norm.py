"""`layernorm`, `rmsnorm`, `groupnorm`, `batchnorm`."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from archspec.components.base import Component, Place, last
from archspec.components.linear import ONES, ZEROS
from archspec.components.slots import Flag, Initial, Positive, Real, Size
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.op import Op
from archspec.ir.ops.norm import BatchNorm as BatchNormOp
from archspec.ir.ops.norm import GroupNorm as GroupNormOp
from archspec.ir.ops.norm import LayerNorm as LayerNormOp
from archspec.ir.ops.norm import RmsNorm as RmsNormOp


def _lower(
    at: Place, inputs: Results, word: str, op: Op, params: Callable[[Builder], tuple[Handle | None, ...]]
) -> Results:
    def body(b: Builder, given: Results) -> Results:
        return (b.apply(op, given[0], *params(b)),)

    return at.module(word, body, *inputs)


class LayerNorm(Component, frozen=True):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last axis (Ba et al. 2016)."""

    words: ClassVar = ("layernorm",)
    eps: Positive = n.num(1e-5)
    affine: Flag = True
    bias: Flag = True
    init: Initial = ONES

    def lower(self, at: Place, *inputs: Handle) -> Results:
        width = last(inputs[0].type)

        def params(b: Builder) -> tuple[Handle | None, ...]:
            weight = b.param("weight", (width,), self.init) if self.affine else None
            return weight, b.param("bias", (width,), ZEROS) if self.affine and self.bias else None

        return _lower(at, inputs, "layernorm", LayerNormOp(self.eps), params)


class RmsNorm(Component, frozen=True):
    """x / sqrt(mean(x^2) + eps) * (weight + offset) over the last axis (Zhang & Sennrich 2019): no mean.

    `cast`: below fp32, whether the result returns to x's dtype `before` or `after` the weight multiplies.
    """

    words: ClassVar = ("rmsnorm",)
    eps: Positive = n.num(1e-6)
    affine: Flag = True
    offset: Real = n.num(0)
    cast: Literal["before", "after"] = "before"
    init: Initial = ONES

    def lower(self, at: Place, *inputs: Handle) -> Results:
        width = last(inputs[0].type)

        def params(b: Builder) -> tuple[Handle | None, ...]:
            return (b.param("weight", (width,), self.init) if self.affine else None,)

        return _lower(at, inputs, "rmsnorm", RmsNormOp(self.eps, self.offset, self.cast), params)


class GroupNorm(Component, frozen=True):
    """Layer norm over each group of channels and all positions: x [B, C, ...] (Wu & He 2018)."""

    words: ClassVar = ("groupnorm",)
    groups: Size
    eps: Positive = n.num(1e-5)
    affine: Flag = True

    def lower(self, at: Place, *inputs: Handle) -> Results:
        channels = _channels(inputs[0])

        def params(b: Builder) -> tuple[Handle | None, ...]:
            if not self.affine:
                return None, None
            return b.param("weight", (channels,), ONES), b.param("bias", (channels,), ZEROS)

        return _lower(at, inputs, "groupnorm", GroupNormOp(self.groups, self.eps), params)


class BatchNorm(Component, frozen=True):
    """Norm of each channel by running statistics (Ioffe & Szegedy 2015): x [B, C, ...]."""

    words: ClassVar = ("batchnorm",)
    eps: Positive = n.num(1e-5)
    momentum: Positive = n.num(0.1)

    def lower(self, at: Place, *inputs: Handle) -> Results:
        channels = _channels(inputs[0])

        def params(b: Builder) -> tuple[Handle | None, ...]:
            mean = b.param("running_mean", (channels,), ZEROS, trainable=False)
            var = b.param("running_var", (channels,), ONES, trainable=False)
            batches = b.param("num_batches_tracked", (), ZEROS, trainable=False, dtype="int64")
            weight, bias = b.param("weight", (channels,), ONES), b.param("bias", (channels,), ZEROS)
            return mean, var, batches, weight, bias

        return _lower(at, inputs, "batchnorm", BatchNormOp(self.eps, self.momentum), params)


def _channels(x: Handle) -> Num:
    return x.type.shape[1] if x.type.rank > 1 else last(x.type)
