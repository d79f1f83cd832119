"""The functions of tensor expressions that contract: each is one IR operation."""

from __future__ import annotations

from archspec.components.base import Place
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Handle
from archspec.ir.ops import contract

ZERO, ONE = n.num(0), n.num(1)


def matmul(at: Place, a: Handle, b: Handle) -> Handle:
    return at.builder.apply(contract.Matmul(), a, b, name=at.name)


def einsum(at: Place, equation: str, *operands: Handle) -> Handle:
    return at.builder.apply(contract.Einsum(equation), *operands, name=at.name)


def linear(at: Place, x: Handle, weight: Handle, bias: Handle | None = None) -> Handle:
    return at.builder.apply(contract.Linear(), x, weight, bias, name=at.name)


def conv(
    at: Place, x: Handle, weight: Handle, bias: Handle | None = None, stride: Num = ONE, padding: Num = ZERO,
    dilation: Num = ONE, groups: Num = ONE,
) -> Handle:  # fmt: skip
    """x [B, C, *sizes] by weight [O, C / groups, *kernel]. A number is for all axes, both sides of each."""
    axes = range(x.type.rank - 2)
    op = contract.Conv(
        tuple(stride for _ in axes),
        tuple((padding, padding) for _ in axes),
        tuple(dilation for _ in axes),
        groups,
    )
    return at.builder.apply(op, x, weight, bias, name=at.name)
