"""What the fullest device of a layout holds."""

from __future__ import annotations

from msgspec import Struct

from archspec.analysis.sharding.activations import check_sp
from archspec.analysis.sharding.errors import LayoutError
from archspec.analysis.sharding.layout import Layout
from archspec.analysis.sharding.pipeline import Stage, stages
from archspec.analysis.sharding.shard import Shardable, Sharded
from archspec.errors import Diagnostic


class Held(Struct, frozen=True):
    """Learned numbers of one device, by what a training step keeps of each.

    `parameters`: of its stage and its part of tp and ep, as it computes with them. `weights`, `gradients`,
    `optimizer`: for how many of them it stores each between uses (Rajbhandari et al. 2020, arXiv:1910.02054).
    """

    stage: int
    parameters: int
    weights: int
    gradients: int
    optimizer: int


class Placed(Struct, frozen=True):
    """A model in a layout: one device's part before stages, and the stages."""

    sharded: Sharded
    layout: Layout
    stages: tuple[Stage, ...]

    def held(self, stage: int) -> Held:
        at, layout = self.stages[stage], self.layout
        shares = [self._share(at) if layout.zero >= level else at.parameters for level in (3, 2, 1)]
        return Held(stage, at.parameters, *shares)

    def _share(self, at: Stage) -> int:
        """One device's share of what dp spreads, rounded up; experts are spread over fewer."""
        return -(-at.dense // self.layout.data) + -(-at.experts // self.layout.expert_data)

    @property
    def fullest(self) -> Held:
        """The device with most parameters."""
        return max((self.held(stage) for stage in range(len(self.stages))), key=lambda held: held.parameters)


def place(model: Shardable, layout: Layout) -> Placed:
    """`model` in `layout`.

    Raises LayoutError: G001 to G005 for tp and ep, G011 for sp, G012 and G013 for pp, G015 where cp cannot
    be.
    """
    sharded = model.shard(layout.tp, layout.ep)
    check_sp(sharded, layout.sp)
    if layout.cp > 1:
        check_cp(sharded)
    return Placed(sharded, layout, stages(sharded.graph, layout.pp, layout.interleave))


def check_cp(sharded: Sharded) -> None:
    """G015: context parallelism passes keys and values around; nothing else may mix tokens."""
    tokens = sharded.tokens
    serial = tokens.serial()
    if not tokens.roots:
        name = sharded.trace.graph.name
        raise LayoutError(Diagnostic("G015", f"cp: '{name}' has no attention to spread a sequence for"))
    if serial is not None:
        problem = f"cp: {serial.op.name} in '{serial.path}' mixes tokens, and is no attention"
        raise LayoutError(Diagnostic("G015", problem))
