"""Gradients of views, and of what puts tensors together."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.torch.fake.functions.create import new_zeros
from archspec.backends.torch.fake.functions.join import cat, flip, roll, stack, tril
from archspec.backends.torch.fake.functions.views import narrow, permute, reshape, select
from archspec.backends.torch.fake.gradients.rules import rule
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.node import Node
from archspec.backends.torch.fake.tensor import Tensor


@rule("view", "unsqueeze", "squeeze")
def _view(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [reshape(grad, operands[0].shape)]


@rule("permute")
def _permute(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    order: list[int] = node.detail
    return [permute(grad, [order.index(axis) for axis in range(len(order))])]


@rule("slice", "select", "unfold", "diagonal", "gather", "index", "index_select", "embedding")
def _zeros(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    """Zeros where nothing was picked."""
    return [new_zeros(grad, x.shape) if x.requires_grad else None for x in operands]


@rule("cat")
def _cat(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    axis: int = node.detail
    return [narrow(grad, axis, 0, x.shape[axis]) for x in operands]


@rule("stack")
def _stack(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [select(grad, node.detail, 0) for _ in operands]


@rule("roll")
def _roll(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [roll(grad, 1)]


@rule("flip")
def _flip(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [flip(grad)]


@rule("tril")
def _tril(_: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    return [tril(grad)]


@rule("index_add_")
def _index_add(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    source = operands[1]
    return [grad, made("index_select", (grad,), source.shape, source.dtype) if source.requires_grad else None]


def joined(node: Node, grads: Sequence[Tensor], x: Tensor) -> Tensor:
    """The gradient of what was split or unbound."""
    axis: int = node.detail[0]
    return cat(grads, axis) if node.name == "split" else stack(grads, axis)
