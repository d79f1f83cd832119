"""`linear` and `param`: matrices and free tensors that are learned."""

from __future__ import annotations

from typing import ClassVar

from archspec.components.base import Component, Place, Problem, last
from archspec.components.slots import Extents, Flag, Initial, Size
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.graph import Init
from archspec.ir.ops.contract import Linear as LinearOp

ZEROS = Init("constant", n.num(0.0))
ONES = Init("constant", n.num(1.0))
FIXED = ("constant", "sinusoids")


def fan_in_uniform(fan_in: Num) -> Init:
    """uniform(-1/sqrt(fan_in), 1/sqrt(fan_in)): what torch's Linear and Conv start from."""
    return Init("fan_in", fan_in)


class Linear(Component, frozen=True):
    """x W^T + b over the last axis: [..., in] -> [..., out]. Parameters weight [out, in], bias [out]."""

    words: ClassVar = ("linear",)
    out: Size
    bias: Flag = True
    init: Initial | None = None
    bias_init: Initial | None = None

    def lower(self, at: Place, *inputs: Handle) -> Results:
        return at.module("linear", self._body, *inputs)

    def _body(self, b: Builder, inputs: Results) -> Results:
        width = last(inputs[0].type)
        weight = b.param("weight", (self.out, width), self.init or fan_in_uniform(width))
        bias = (
            b.param("bias", (self.out,), self.bias_init or (ZEROS if self.init else fan_in_uniform(width)))
            if self.bias
            else None
        )
        return (b.apply(LinearOp(), inputs[0], weight, bias),)


class Param(Component, frozen=True):
    """A learned tensor of the given shape, by itself, called as the step is.

    `trainable: false`: it is kept with the weights but not learned (a buffer), and counts as no parameter.
    """

    words: ClassVar = ("param",)
    source: ClassVar = True
    shape: Extents
    init: Initial = ZEROS
    trainable: Flag = True

    def lower(self, at: Place, *inputs: Handle) -> Results:
        if not self.trainable and self.init.kind not in FIXED:
            hint = "one of: zeros, ones, constant(value), sinusoids(theta, steps)"
            raise Problem("S007", "what is not learned does not start at random", "init", hint)
        return (at.builder.param(at.name, self.shape, self.init, trainable=self.trainable),)
