"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.op import Mixed, Op
from archspec.ir.types import TensorType, axis_of, divides, is_float, require, same_size


def _affine(x: TensorType, axis: int, *params: TensorType | None) -> tuple[TensorType, ...]:
    """`x` again; each parameter has one axis, of the size that `x` has along `axis`."""
    require(is_float(x.dtype), "T007", f"a norm takes floats, not {x.dtype}")
    size = x.shape[axis_of(x, axis)]
    for param in params:
        if param is not None:
            require(param.rank == 1, "T005", f"norm: a parameter has one axis, not {param}")
            same_size(param.shape[0], size, "norm: the parameter's width against the input's")
    return (x,)


def _each(count: int, x: TensorType, params: Sequence[TensorType | None]) -> Num:
    return (count + sum(param is not None for param in params)) * n.product(x.shape)


class LayerNorm(Op, frozen=True):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last axis (Ba et al. 2016).

    Statistics in fp32.
    """

    work: ClassVar = "reduction"
    eps: Num

    def infer(
        self, x: TensorType, weight: TensorType | None = None, bias: TensorType | None = None
    ) -> tuple[TensorType, ...]:
        return _affine(x, -1, weight, bias)

    def mixes(self, x: TensorType, *_: TensorType | None) -> Mixed:
        return ((-1,),)

    def elementwise(self, x: TensorType, *params: TensorType | None) -> Num:
        """Per element: two sums, a difference, a square, a quotient; one for each of weight and bias."""
        return _each(5, x, params)


class RmsNorm(Op, frozen=True):
    """x / sqrt(mean(x^2) + eps) * (weight + offset) over the last axis (Zhang & Sennrich 2019).

    Statistics in fp32. `cast`: where fp32 ends, `before` the weight multiplies or `after` (matters below it).
    """

    work: ClassVar = "reduction"
    eps: Num
    offset: Num
    cast: str = "before"

    def infer(self, x: TensorType, weight: TensorType | None = None) -> tuple[TensorType, ...]:
        require(self.cast in ("before", "after"), "T010", f"unknown cast point '{self.cast}'")
        return _affine(x, -1, weight)

    def mixes(self, x: TensorType, *_: TensorType | None) -> Mixed:
        return ((-1,),)

    def elementwise(self, x: TensorType, *params: TensorType | None) -> Num:
        """Per element: a square, a sum, a quotient; one for the weight."""
        return _each(3, x, params)


class GroupNorm(Op, frozen=True):
    """Layer norm over each of `groups` groups of channels and all positions: x [B, C, ...] (Wu & He 2018)."""

    work: ClassVar = "reduction"
    groups: Num
    eps: Num

    def infer(
        self, x: TensorType, weight: TensorType | None = None, bias: TensorType | None = None
    ) -> tuple[TensorType, ...]:
        require(x.rank >= 2, "T005", f"groupnorm takes [B, C, ...], not {x}")
        channels, groups = x.shape[1], self.groups
        divides(
            channels,
            groups,
            f"{channels.described()} channels do not divide into {groups.described()} groups",
        )
        return _affine(x, 1, weight, bias)

    def mixes(self, x: TensorType, *_: TensorType | None) -> Mixed:
        return (range(1, x.rank),)

    def elementwise(self, x: TensorType, *params: TensorType | None) -> Num:
        """As of `LayerNorm`."""
        return _each(5, x, params)


class BatchNorm(Op, frozen=True):
    """(x - mean) / sqrt(var + eps) * weight + bias per channel of x [B, C, ...] (Ioffe & Szegedy 2015).

    By running statistics when evaluating, by the batch's own when training, which moves them and counts the
    `batches` seen.
    """

    work: ClassVar = "reduction"
    eps: Num
    momentum: Num

    def infer(
        self,
        x: TensorType,
        mean: TensorType,
        var: TensorType,
        batches: TensorType,
        weight: TensorType | None = None,
        bias: TensorType | None = None,
    ) -> tuple[TensorType, ...]:
        require(x.rank >= 2, "T005", f"batchnorm takes [B, C, ...], not {x}")
        require(batches.rank == 0, "T005", f"batchnorm counts batches in one number, not {batches}")
        require(batches.dtype == "int64", "T006", f"batchnorm counts batches in int64, not {batches}")
        return _affine(x, 1, mean, var, weight, bias)

    def elementwise(self, x: TensorType, *others: TensorType | None) -> Num:
        """When evaluating, per element: a difference and a quotient; one for each of weight and bias."""
        return _each(2, x, others[3:])
