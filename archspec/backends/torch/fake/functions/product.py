"""Matrix products: FLOPs are 2 per multiply-add, additions of biases not counted."""

from __future__ import annotations

import math

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.functions.pointwise import add
from archspec.backends.torch.fake.functions.training import autocast
from archspec.backends.torch.fake.functions.views import expand, reshape, transpose, unsqueeze
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.tensor import Tensor


def product(name: str, a: Tensor, b: Tensor, *more: Tensor) -> Tensor:
    """[.., m, k] @ [.., k, n], of two axes or of three."""
    flops = 2 * math.prod(a.shape) * b.shape[-1]
    saves = [("self", a)] * b.requires_grad + [("mat2", b)] * a.requires_grad
    backward = flops * (a.requires_grad + b.requires_grad)
    shape = (*a.shape[:-1], b.shape[-1])
    return made(name, (*more, a, b), shape, a.dtype, saves=saves, flops=flops, backward=backward)


@function("linear")
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    x, weight, bias = autocast(x, weight, bias)
    rows = x if x.dim() == 2 else reshape(x, (-1, x.shape[-1]))
    turned = transpose(weight, 0, 1)
    if bias is None or (x.dim() != 2 and not x.is_contiguous()):
        y = product("mm", rows, turned)
    else:
        y, bias = product("addmm", rows, turned, bias), None
    del rows
    y = y if x.dim() == 2 else reshape(y, (*x.shape[:-1], weight.shape[0]))
    return y if bias is None else add(y, bias)


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
    rows = a if a.dim() == 2 else reshape(a, (-1, a.shape[-1]))
    return reshape(product("mm", rows, unsqueeze(b, 1)), a.shape[:-1])


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
