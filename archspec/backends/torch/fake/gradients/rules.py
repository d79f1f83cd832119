"""The gradients of operations on shapes: what torch's derivatives (derivatives.yaml) allocate and compute.

A rule takes the gradient of the result and the operands, which have no storage any more, and gives a gradient
for each operand: of the result's shape where it was broadcast, which the engine sums. An operation without a
rule makes one new gradient for each operand that wants one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.custom import Custom
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.node import Node
from archspec.backends.torch.fake.tensor import Tensor

Rule: TypeAlias = Callable[[Node, Tensor, Sequence[Tensor]], Sequence[Tensor | None]]

RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorator: the gradients of these operations."""

    def register(body: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, body))
        return body

    return register


def gradients(node: Node, grads: Mapping[int, Tensor], operands: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """The gradients of an operation's operands, from those of its results; None where nobody wants one."""
    if isinstance(node.detail, Custom):
        return node.detail.gradients(grads)
    return RULES.get(node.name, _new)(node, grads[0], operands)


def _new(node: Node, grad: Tensor, operands: Sequence[Tensor]) -> list[Tensor | None]:
    name = f"{node.name}_backward"
    return [
        made(name, (grad, x), x.shape, x.dtype, strides=lies_like(x)) if x.requires_grad else None
        for x in operands
    ]


def lies_like(x: Tensor) -> tuple[int, ...] | None:
    """The strides of a gradient that lies as its operand does."""
    return x.strides if layout.is_dense(x.shape, x.strides) else None
