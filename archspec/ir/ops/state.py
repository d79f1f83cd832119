"""State: what decoding keeps between steps. In a full forward nothing is kept, and `past` is 0."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from archspec.dims.num import Num
from archspec.ir.op import Op
from archspec.ir.types import TensorType, axis_of, same_size


class Append(Op, frozen=True):
    """Each operand behind what state `state` holds of it, along `axis`; the result is what it holds next.

    [.., new, ..] -> [.., past + new, ..].
    """

    work: ClassVar = "state"
    kind: ClassVar = "append"
    state: str
    axis: int
    past: Num

    def infer(self, *parts: TensorType) -> tuple[TensorType, ...]:
        return tuple(self._grown(x) for x in parts)

    def _grown(self, x: TensorType) -> TensorType:
        axis = axis_of(x, self.axis)
        return x.with_shape(*x.shape[:axis], self.past + x.shape[axis], *x.shape[axis + 1 :])


class Hold(Op, frozen=True):
    """Operands as they were at the first step: computed once, then read from state `state`."""

    work: ClassVar = "state"
    kind: ClassVar = "hold"
    state: str

    def infer(self, *parts: TensorType) -> tuple[TensorType, ...]:
        for x in parts[1:]:
            same_size(x.shape[axis_of(x, 0)], parts[0].shape[axis_of(parts[0], 0)], "hold: the batch")
        return parts


class Recall(Op, frozen=True):
    """What the step before kept in state `state`; at the first step, and in a full forward, the operand."""

    work: ClassVar = "state"
    kind: ClassVar = "recall"
    state: str

    def infer(self, initial: TensorType) -> tuple[TensorType, ...]:
        return (initial,)


class Keep(Op, frozen=True):
    """Keeps the operand in state `state` for the next step, which begins `tokens` later. It has no result."""

    work: ClassVar = "state"
    kind: ClassVar = "recall"
    state: str
    tokens: Num

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        return ()


# Those that read or write state, each of a state of its `kind`.
Stateful: TypeAlias = Append | Hold | Recall | Keep
