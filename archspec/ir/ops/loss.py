"""Losses: scalars to minimise, in nats or squared units, averaged."""

from __future__ import annotations

from typing import ClassVar

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.op import Op
from archspec.ir.types import INTEGERS, TensorType, broadcast, is_float, require, same_size, share


class CrossEntropy(Op, frozen=True):
    """Mean of -log softmax(logits)[target] over targets that are not `ignore_index`.

    logits [..., C], target [...].
    """

    work: ClassVar = "reduction"
    ignore_index: Num
    label_smoothing: Num

    def infer(self, logits: TensorType, target: TensorType) -> tuple[TensorType, ...]:
        require(target.dtype in INTEGERS, "T006", f"a target is integer, not {target.dtype}")
        require(is_float(logits.dtype), "T007", f"logits are floats, not {logits.dtype}")
        fits = logits.rank == target.rank + 1
        require(fits, "T005", f"cross entropy takes [..., C] and [...], not {logits} and {target}")
        share(self.label_smoothing, "label smoothing")
        for a, b in zip(logits.shape, target.shape, strict=False):
            same_size(a, b, "cross_entropy: logits against target")
        return (TensorType("float32", ()),)

    def elementwise(self, logits: TensorType, target: TensorType) -> Num:
        """Per logit, as of `LogSumExp`, and one more where labels are smoothed."""
        return (4 + bool(self.label_smoothing.value)) * n.product(logits.shape)


class MeanError(Op, frozen=True):
    """Mean of (input - target)^2 (`mse`) or |input - target| (`mae`)."""

    work: ClassVar = "reduction"
    fn: str

    def infer(self, input: TensorType, target: TensorType) -> tuple[TensorType, ...]:
        require(self.fn in ("mse", "mae"), "T010", f"unknown error '{self.fn}'")
        broadcast(input.shape, target.shape)
        return (TensorType("float32", ()),)

    def elementwise(self, input: TensorType, target: TensorType) -> Num:
        """Per element: a difference, a square or absolute value, the sum."""
        return 3 * n.product(broadcast(input.shape, target.shape))
