"""Matrix products: FLOPs are 2 per multiply-add, additions of biases not counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.functions.pointwise import add, mul
from archspec.backends.torch.fake.functions.reduce import sum_
from archspec.backends.torch.fake.functions.training import autocast
from archspec.backends.torch.fake.functions.views import (
    expand,
    flatten,
    permute,
    reshape,
    transpose,
    unsqueeze,
)
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor, function, made


def product(name: str, a: Tensor, b: Tensor, *more: Tensor) -> Tensor:
    """[.., m, k] @ [.., k, n], of two axes or of three."""
    flops = 2 * math.prod(a.shape) * b.shape[-1]
    saves = [("self", a)] * b.requires_grad + [("mat2", b)] * a.requires_grad
    backward = flops * (a.requires_grad + b.requires_grad)
    return made(
        name,
        (*more, a, b),
        (*a.shape[:-1], b.shape[-1]),
        a.dtype,
        saves=saves,
        flops=flops,
        backward=backward,
    )


@function("linear")
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    x, weight, bias = autocast(x, weight, bias)
    if bias is None or not x.is_contiguous():
        y = matmul(x, transpose(weight, 0, 1))
        return y if bias is None else add(y, bias)
    rows = x if x.dim() == 2 else reshape(x, (-1, x.shape[-1]))
    y = product("addmm", rows, transpose(weight, 0, 1), bias)
    return y if x.dim() == 2 else reshape(y, (*x.shape[:-1], weight.shape[0]))


@function("matmul")
def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Source: `at::_matmul_impl`."""
    a, b = autocast(a, b)
    if a.dim() == 1 or b.dim() == 1:
        return _with_vector(a, b)
    if a.dim() == b.dim() == 2:
        return product("mm", a, b)
    if _folds(a, b):
        return _folded(a, b)
    lead = layout.broadcast(a.shape[:-2], b.shape[:-2])
    left = reshape(expand(a, (*lead, *a.shape[-2:])), (math.prod(lead), *a.shape[-2:]))
    right = reshape(expand(b, (*lead, *b.shape[-2:])), (math.prod(lead), *b.shape[-2:]))
    return reshape(product("bmm", left, right), (*lead, a.shape[-2], b.shape[-1]))


def _with_vector(a: Tensor, b: Tensor) -> Tensor:
    if a.dim() == 1:
        out = matmul(unsqueeze(a, 0), b if b.dim() > 1 else unsqueeze(b, 1))
        return reshape(out, (*b.shape[:-2], *b.shape[-1:] * (b.dim() > 1)))
    return reshape(matmul(a, unsqueeze(b, 1)), a.shape[:-1])


def _folds(a: Tensor, b: Tensor) -> bool:
    """Whether leading axes of the larger operand become rows of one product."""
    large, small = (a, b) if a.dim() >= b.dim() else (b, a)
    if large.dim() < 3 or small.dim() > 2:
        return False
    if small.requires_grad:
        return True
    if a.dim() == 2:
        return False
    steps = zip(large.strides, large.strides[1:], large.shape[1:], strict=False)
    return all(outer == inner * size for outer, inner, size in list(steps)[: large.dim() - 2])


def _folded(a: Tensor, b: Tensor) -> Tensor:
    if a.dim() >= b.dim():
        y = product("mm", reshape(a, (-1, a.shape[-1])), b)
        return reshape(y, (*a.shape[:-1], b.shape[-1]))
    turned = transpose(b, -2, -1)
    y = product("mm", reshape(turned, (-1, turned.shape[-1])), transpose(a, 0, 1))
    return transpose(reshape(y, (*turned.shape[:-1], a.shape[0])), -2, -1)


@function("bmm")
def bmm(a: Tensor, b: Tensor) -> Tensor:
    a, b = autocast(a, b)
    return product("bmm", a, b)


@function("einsum")
def einsum(equation: str, *operands: Tensor) -> Tensor:
    """Pair by pair from the left, each a batched product. Source: `at::einsum`, `sumproduct_pair`."""
    terms, _, right = equation.replace(" ", "").partition("->")
    names = terms.split(",")
    letters = [*right, *sorted({c for term in names for c in term} - set(right))]
    found = [_aligned(x, term, letters) for x, term in zip(operands, names, strict=True)]
    last = {c: max(i for i, term in enumerate(names) if c in term) for c in letters}
    out = found[0]
    out = _summed(out, [i for i, c in enumerate(letters) if last[c] == 0 and c not in right])
    for i, x in enumerate(found[1:], 1):
        gone = [axis for axis, c in enumerate(letters) if last[c] == i and c not in right]
        out = _pair(out, x, gone)
    return reshape(out, out.shape[: len(right)])


def _aligned(x: Tensor, term: str, letters: Sequence[str]) -> Tensor:
    """The operand with an axis for each letter, of size 1 where it has none."""
    rank = x.dim()
    for _ in range(len(letters) - rank):
        x = unsqueeze(x, x.dim())
    free = iter(range(rank, len(letters)))
    return permute(x, [term.index(c) if c in term else next(free) for c in letters])


def _summed(x: Tensor, axes: list[int]) -> Tensor:
    real = [axis for axis in axes if x.shape[axis] != 1]
    return sum_(x, real, keepdim=True) if real else x


def _pair(a: Tensor, b: Tensor, gone: list[int]) -> Tensor:
    """Source: `sumproduct_pair` in ATen/native/Linear.cpp."""
    if not gone:
        return mul(a, b)
    a = _summed(a, [axis for axis in gone if b.shape[axis] == 1])
    b = _summed(b, [axis for axis in gone if a.shape[axis] == 1])
    both, left, right, summed = list[int](), list[int](), list[int](), list[int]()
    for axis in range(a.dim()):
        mine, theirs = a.shape[axis] > 1, b.shape[axis] > 1
        if axis in gone:
            if mine and theirs:
                summed.append(axis)
            else:
                left.append(axis)
        else:
            (both if mine and theirs else left if mine else right if theirs else both).append(axis)
    return _contracted(a, b, both, left, summed, right)


def _contracted(
    a: Tensor, b: Tensor, both: list[int], left: list[int], summed: list[int], right: list[int]
) -> Tensor:
    def size(x: Tensor, axes: list[int]) -> int:
        return math.prod(x.shape[axis] for axis in axes)

    x = reshape(permute(a, [*both, *left, *summed, *right]), (size(a, both), size(a, left), size(a, summed)))
    y = reshape(permute(b, [*both, *summed, *right, *left]), (size(b, both), size(b, summed), size(b, right)))
    out = bmm(x, y)
    shape = [a.shape[i] for i in both] + [a.shape[i] for i in left] + [1] * len(summed)
    out = reshape(out, (*shape, *(b.shape[i] for i in right)))
    order = [*both, *left, *summed, *right]
    return permute(out, [order.index(axis) for axis in range(a.dim())])


@function("conv1d", "conv2d", "conv3d")
def conv(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    x, weight, bias = autocast(x, weight, bias)
    steps = zip(
        x.shape[2:], weight.shape[2:], *(_each(n, x) for n in (stride, padding, dilation)), strict=True
    )
    sizes = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in steps]
    shape = (x.shape[0], weight.shape[0], *sizes)
    flops = 2 * math.prod(shape) * math.prod(weight.shape[1:])
    return _convolved(x, weight, bias, shape, flops)


@function("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    x, weight, bias = autocast(x, weight, bias)
    given = (_each(n, x) for n in (stride, padding, output_padding, dilation))
    steps = zip(x.shape[2:], weight.shape[2:], *given, strict=True)
    sizes = [(n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, k, s, p, o, d in steps]
    shape = (x.shape[0], weight.shape[1] * groups, *sizes)
    return _convolved(x, weight, bias, shape, 2 * math.prod(x.shape) * math.prod(weight.shape[1:]))


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, shape: Sequence[int], flops: int) -> Tensor:
    saves = [("input", x), ("weight", weight)]
    backward = flops * (x.requires_grad + weight.requires_grad)
    operands = (x, weight) if bias is None else (x, weight, bias)
    strides = _channels_last(shape) if _is_channels_last(x) or _is_channels_last(weight) else None
    return made(
        "convolution", operands, shape, x.dtype, strides=strides, saves=saves, flops=flops, backward=backward
    )


def _each(value: Any, x: Tensor) -> Sequence[int]:
    return value if isinstance(value, (tuple, list)) else (value,) * (x.dim() - 2)


def _channels_last(shape: Sequence[int]) -> tuple[int, ...]:
    order = [0, *range(2, len(shape)), 1]
    strides = layout.contiguous([shape[axis] for axis in order])
    return tuple(strides[order.index(axis)] for axis in range(len(shape)))


def _is_channels_last(x: Tensor) -> bool:
    return x.dim() == 4 and not x.is_contiguous() and x.strides == _channels_last(x.shape)


__all__ = [
    "add",
    "bmm",
    "conv",
    "conv_transpose",
    "current",
    "dtypes",
    "einsum",
    "flatten",
    "linear",
    "matmul",
]
