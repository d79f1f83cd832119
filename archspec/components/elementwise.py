"""Activations, and arithmetic between the value that flows and another."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from archspec.components.base import Component, Place, Problem
from archspec.components.slots import Real, Slot, Tensor
from archspec.ir.builder import Handle, Results
from archspec.ir.ops.elementwise import Arith, Map, Scalar

Activation = Annotated[
    Literal[
        "gelu",
        "gelu_tanh",
        "quick_gelu",
        "relu",
        "relu2",
        "silu",
        "tanh",
        "sigmoid",
        "softplus",
        "mish",
        "hardswish",
        "elu",
        "selu",
        "identity",
    ],
    Slot("word"),
]


def activate(at: Place, fn: str, x: Handle, name: str | None = None) -> Handle:
    return x if fn == "identity" else at.builder.apply(Map(fn), x, name=name or fn)


class Activate(Component, frozen=True):
    """An activation by its name: `- silu`. gelu is exact, gelu_tanh by tanh (Hendrycks & Gimpel 2016)."""

    words: ClassVar = ("activation",)
    fn: Activation

    def lower(self, at: Place, *inputs: Handle) -> Results:
        return (activate(at, self.fn, inputs[0], at.value_name),)


def _activation(fn: str) -> type[Component]:
    class Named(Component, frozen=True):
        words: ClassVar = (fn,)

        def lower(self, at: Place, *inputs: Handle) -> Results:
            return (activate(at, fn, inputs[0], at.value_name),)

    Named.__name__, Named.__doc__ = fn, f"The activation {fn}, element by element."
    return Named


ACTIVATIONS = tuple(_activation(fn) for fn in get_args(get_args(Activation)[0]) if fn != "identity")


class Scale(Component, frozen=True):
    """x * by."""

    words: ClassVar = ("scale",)
    by: Real

    def lower(self, at: Place, *inputs: Handle) -> Results:
        return (at.builder.apply(Scalar("mul", self.by), inputs[0], name=at.value_name),)


class Add(Component, frozen=True):
    """x + to; a [B, C] value is added to every position of a [B, C, ...] one."""

    words: ClassVar = ("add",)
    to: Tensor

    def lower(self, at: Place, *inputs: Handle) -> Results:
        return (at.builder.apply(Arith("add"), inputs[0], self.to, name=at.value_name),)


class Multiply(Component, frozen=True):
    """x * by, element by element."""

    words: ClassVar = ("multiply",)
    by: Tensor

    def lower(self, at: Place, *inputs: Handle) -> Results:
        if self.by.type.rank > inputs[0].type.rank:
            raise Problem("T003", f"{self.by.type} has more axes than {inputs[0].type}", "by")
        return (at.builder.apply(Arith("mul"), inputs[0], self.by, name=at.value_name),)
