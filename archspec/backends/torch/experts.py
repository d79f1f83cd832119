"""Experts in a forward method: one call, whose loop is a function that the file carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.backends.torch.code import Code
from archspec.dims import num as n
from archspec.ir.graph import Repeat

if TYPE_CHECKING:
    from archspec.backends.torch.forward import Body


def experts(body: Body, node: Repeat) -> None:
    """`mixture(self.experts, self.hidden_size, x, gates)`."""
    body.module.parts.require("runtime:experts.mixture")
    layers, sizes = body.module.place(node), body.module.layers(node)[0].sizes
    width = body.number(node.outputs[0].type.shape[-1])

    def call() -> Code:
        given = [body.text(value) for value in node.inputs]
        told = [body.number(n.symbol(size)).text for size in sizes]
        return Code(f"mixture({', '.join([layers, width.text, *given, *told])})")

    body.give(node.outputs, body.settle(node.inputs, call), node.inputs)
