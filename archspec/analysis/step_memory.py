"""Bytes that the fullest device of a layout holds in a training iteration."""

from __future__ import annotations

from msgspec import Struct

from archspec.analysis.sharding.ranks import Placed
from archspec.analysis.step_parts import Parts
from archspec.analysis.step_time import Kept


class StageMemory(Struct, frozen=True):
    """Bytes of one device of a stage. `activations` are those of all microbatches in flight.

    Not in it: buffers of collectives, gathered weights of a layer under ZeRO-3, workspaces of kernels, the
    allocator's gaps, the runtime's own memory.
    """

    stage: int
    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def states(self) -> float:
        return self.weights + self.gradients + self.optimizer

    @property
    def total(self) -> float:
        return self.states + self.activations


def fullest(placed: Placed, parts: Parts, kept: Kept) -> StageMemory:
    """The device with most of it."""
    found = (stage_memory(placed, parts, kept, stage) for stage in _distinct(placed))
    return max(found, key=lambda memory: memory.total)


def _distinct(placed: Placed) -> set[int]:
    """The first of the stages that are alike, which has most in flight; and the last one."""
    firsts = {at.runs: i for i, at in reversed(list(enumerate(placed.stages[1:], 1)))}
    return {0, len(placed.stages) - 1, *firsts.values()}


def stage_memory(placed: Placed, parts: Parts, kept: Kept, stage: int) -> StageMemory:
    """Layers keep what `in_flight` says, chunk by chunk; the ends what their own chunk has in flight."""
    held, at, layout = placed.held(stage), placed.stages[stage], placed.layout
    chunks = layout.in_flight(stage)
    activations = parts.of(at).kept * chunks / layout.interleave
    activations += max((parts.layers[path].again for path, _ in at.runs), default=0.0)
    activations += parts.first.kept * -(-chunks // layout.interleave) if stage == 0 else 0.0
    activations += parts.last.kept if stage == layout.pp - 1 else 0.0
    return StageMemory(
        stage,
        held.weights * kept.weight,
        held.gradients * kept.gradient,
        held.optimizer * kept.optimizer,
        activations,
    )
