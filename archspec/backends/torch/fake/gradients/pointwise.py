"""Gradients of what works element by element, and of folded axes."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.functions.copies import cast
from archspec.backends.torch.fake.functions.join import flip
from archspec.backends.torch.fake.functions.pointwise import (
    cos,
    div,
    elementwise,
    masked_fill,
    mul,
    neg,
    power,
    sin,
    where,
)
from archspec.backends.torch.fake.functions.reduce import cumsum, mean, sum_
from archspec.backends.torch.fake.functions.views import reshape
from archspec.backends.torch.fake.gradients.rules import rule
from archspec.backends.torch.fake.node import Node
from archspec.backends.torch.fake.tensor import Tensor


@rule("add", "clone", "expand", "copy_")
def _same(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [grad] * len(operands)


@rule("sub")
def _sub(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [grad, *(neg(grad) if x.requires_grad else None for x in operands[1:])]


@rule("neg", "rsub")
def _neg(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [neg(grad)]


@rule("mul")
def _mul(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    if len(operands) == 1:
        return [mul(grad, 2.0)]
    a, b = operands
    return [mul(grad, b) if a.requires_grad else None, mul(grad, a) if b.requires_grad else None]


@rule("div")
def _div(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    if len(operands) == 1:
        return [div(grad, 2.0)]
    a, b = operands
    first = div(grad, b) if a.requires_grad else None
    return [first, mul(neg(grad), div(div(a, b), b)) if b.requires_grad else None]


@rule("pow")
def _pow(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    less = power(operands[0], 1)  # alive to the end of the whole expression
    return [mul(grad, mul(less, 2.0))]


@rule("exp")
def _exp(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [mul(grad, operands[0])]


@rule("sqrt")
def _sqrt(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [div(grad, mul(operands[0], 2.0))]


@rule("rsqrt")
def _rsqrt(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [mul(mul(grad, -0.5), power(operands[0], 3))]


@rule("sin")
def _sin(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [mul(grad, cos(operands[0]))]


@rule("cos")
def _cos(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [mul(grad, neg(sin(operands[0])))]


@rule("where")
def _where(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    condition, a, b = operands
    first = where(condition, grad, 0.0) if a.requires_grad else None
    return [None, first, where(condition, 0.0, grad) if b.requires_grad else None]


@rule("masked_fill")
def _masked_fill(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [masked_fill(grad, operands[1], 0), None]


@rule("_to_copy")
def _to_copy(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [cast(grad, operands[0].dtype)]


@rule("sum")
def _sum(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [spread(grad, operands[0], node.detail)]


@rule("mean")
def _mean(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [div(spread(grad, operands[0], node.detail), 2.0)]


@rule("var")
def _var(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    x = operands[0]
    scaled = mul(spread(grad, x, node.detail), 2.0)
    return [mul(scaled, elementwise("sub", (x, mean(x, sorted(node.detail), True))))]


@rule("amax")
def _amax(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    """Shared by all places of the largest. Source: `scale_grad_by_count`."""
    x = operands[0]
    largest = elementwise("eq", (x, x), dtype=dtypes.bool_)
    count = sum_(largest, sorted(node.detail), True)
    return [mul(div(reshape(grad, count.shape), count), largest)]


def spread(grad: Tensor, x: Tensor, axes: frozenset[int]) -> Tensor:
    """The gradient of a folded axis, the same at each place of it."""
    strides = iter(grad.strides if len(grad.shape) < len(x.shape) else ())
    kept = [0 if i in axes else next(strides, 0) for i in range(x.dim())]
    if len(grad.shape) == len(x.shape):
        kept = [0 if i in axes else stride for i, stride in enumerate(grad.strides)]
    return Tensor(x.shape, tuple(kept), grad.dtype, grad.storage)


@rule("cumsum")
def _cumsum(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [flip(cumsum(flip(grad), 0))]
