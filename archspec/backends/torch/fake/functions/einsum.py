"""`torch.einsum`, as the products that it becomes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from archspec.backends.torch.fake.functions.pointwise import mul
from archspec.backends.torch.fake.functions.product import bmm
from archspec.backends.torch.fake.functions.reduce import sum_
from archspec.backends.torch.fake.functions.views import permute, reshape, unsqueeze
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.tensor import Tensor


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
    if left and right and right[0] < left[0]:  # so that the result lies row by row
        a, b, left, right = b, a, right, left
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
