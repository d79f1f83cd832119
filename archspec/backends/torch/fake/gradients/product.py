"""Gradients of products: two for each."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.torch.fake.functions.product import product
from archspec.backends.torch.fake.functions.views import transpose
from archspec.backends.torch.fake.gradients.rules import lies_like, rule
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.node import Node
from archspec.backends.torch.fake.tensor import Tensor


@rule("mm", "addmm", "bmm", "baddbmm")
def _product(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    """Source: `mm_mat1_grad`, `mm_mat2_grad`: a gradient lies as its operand does."""
    *bias, a, b = operands
    turns = {0: (b, grad, a), 1: (a, grad, b)}
    found: list[Tensor | None] = [None, None]
    for side in (1, 0) if node.name == "mm" else (0, 1):
        if turns[side][2].requires_grad:
            found[side] = _turned(*turns[side], bool(side))
    return [*[grad] * len(bias), *found]


def _turned(other: Tensor, grad: Tensor, x: Tensor, right: bool) -> Tensor:
    name = "mm" if x.dim() == 2 else "bmm"
    by_columns = x.dim() == 2 and x.strides == (1, x.shape[0])
    flipped, turned = transpose(other, -2, -1), transpose(grad, -2, -1)
    if not by_columns:
        return product(name, flipped, grad) if right else product(name, grad, flipped)
    out = product(name, turned, other) if right else product(name, other, turned)
    return transpose(out, 0, 1)


@rule("convolution")
def _convolution(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    wanted = sum(x.requires_grad for x in operands[:2])
    flops = [node.flops // wanted if wanted else 0] * 2 + [0]
    found = list[Tensor | None]()
    for x, n in zip(operands, flops, strict=False):
        wants, strides = x.requires_grad, lies_like(x)
        name, own = "convolution_backward", (grad, x)
        found.append(made(name, own, x.shape, x.dtype, strides=strides, flops=n) if wants else None)
    return found


@rule("scaled_dot_product_attention")
def _attention(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    name = "scaled_dot_product_attention_backward"
    q, k, v, *mask = operands
    first = made(name, (grad, q, k, v), q.shape, q.dtype, strides=lies_like(q), flops=node.flops)
    rest = [made(name, (), x.shape, x.dtype, strides=lies_like(x)) for x in (k, v)]
    return [first, *rest, *[None] * len(mask)]
