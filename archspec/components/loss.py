"""Losses: words for the `losses` section."""

from __future__ import annotations

from typing import ClassVar

from archspec.components.base import Component, Place, Problem
from archspec.components.slots import Count, Integer, Positive, Tensor
from archspec.dims import num as n
from archspec.ir.builder import Handle, Results
from archspec.ir.ops.loss import CrossEntropy as CrossEntropyOp
from archspec.ir.ops.loss import MeanError
from archspec.ir.ops.shape import Slice


class CrossEntropy(Component, frozen=True):
    """Mean negative log-likelihood in nats: logits [..., C], target [...] integers.

    `shift: n` compares each position with the target n places later, as language models do.
    """

    words: ClassVar = ("cross_entropy",)
    source: ClassVar = True
    logits: Tensor
    target: Tensor
    shift: Count = n.num(0)
    ignore_index: Integer = n.num(-100)
    label_smoothing: Positive = n.num(0)

    def lower(self, at: Place, *inputs: Handle) -> Results:
        logits, target = self.logits, self.target
        if int(self.shift):
            if target.type.rank < 2:
                raise Problem("T005", f"a shift needs [B, S] targets, not {target.type}", "shift")
            logits = at.builder.apply(Slice(1, n.num(0), -self.shift), logits, name="logits")
            target = at.builder.apply(Slice(1, self.shift, None), target, name="target")
        return (
            at.builder.apply(
                CrossEntropyOp(self.ignore_index, self.label_smoothing), logits, target, name=at.value_name
            ),
        )


class Error(Component, frozen=True):
    """Mean squared (`mse`) or absolute (`mae`) difference."""

    source: ClassVar = True
    input: Tensor
    target: Tensor

    def lower(self, at: Place, *inputs: Handle) -> Results:
        return (at.builder.apply(MeanError(self.words[0]), self.input, self.target, name=at.value_name),)


class Mse(Error, frozen=True):
    """Mean squared error: mean of (input - target)^2."""

    words: ClassVar = ("mse",)


class Mae(Error, frozen=True):
    """Mean absolute error: mean of |input - target|."""

    words: ClassVar = ("mae",)


LOSSES = (*CrossEntropy.words, *Mse.words, *Mae.words)
