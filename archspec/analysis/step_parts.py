"""The loads of one device, by layer and end: what all pipelines of the same tp, ep, cp and sp add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from archspec.analysis.sharding.collective import Collective
from archspec.analysis.sharding.layout import Layout
from archspec.analysis.sharding.pipeline import Stage, layer_count, stages
from archspec.analysis.sharding.ranks import Placed, place
from archspec.analysis.sharding.shard import Shardable, Sharded
from archspec.analysis.sharding.traffic import communication, devices
from archspec.analysis.sizes import Sizes, number
from archspec.analysis.speed import Speed
from archspec.analysis.step_load import Held, Load, Memo, Pricing, at_sizes, total
from archspec.dims import num as n


class Parts(Struct, frozen=True):
    """Loads of one microbatch: of one layer of each kind, and of what stands before and behind the layers.

    `carried`: bytes that go from layer to layer, `tied`: bytes of a weight that both ends hold.
    """

    layers: Mapping[str, Load]
    first: Load
    last: Load
    carried: float
    tied: float

    def of(self, at: Stage) -> Load:
        """The layers of a stage."""
        return total(self.layers[path].times(count) for path, count in at.runs)


class Asked(Struct, frozen=True):
    """`sizes` of one microbatch. `recompute`: none, selective, full. `fused`: attention keeps no scores.

    `width`: bytes of `float`.
    """

    sizes: Mapping[str, int]
    recompute: str = "none"
    fused: bool = True
    width: int = 2


def parts(model: Shardable, layout: Layout, asked: Asked, speed: Speed, memo: Memo | None = None) -> Parts:
    """What a device of `layout` does for one microbatch, whatever its stages.

    `memo` is that of other layouts of the same model at the same sizes, the batch apart.
    Raises ArchspecError A001 for a size that is not given, LayoutError as `place` does.
    """
    alone = Layout(dp=layout.ep, tp=layout.tp, cp=layout.cp, ep=layout.ep, sp=layout.sp)
    placed = place(model, alone)
    reading = _Reading(placed, asked, speed, layout, memo or Memo())
    return reading.parts(model)


class _Reading:
    def __init__(self, placed: Placed, asked: Asked, speed: Speed, layout: Layout, memo: Memo) -> None:
        self.memo, self.placed, self.asked, self.speed, self.layout = memo, placed, asked, speed, layout
        self.sharded: Sharded = placed.sharded
        self.sizes = at_sizes(self.sharded, asked.sizes)
        self.runs = dict(stages(self.sharded.graph, 1)[0].runs)
        self.early = self._early()

    def parts(self, model: Shardable) -> Parts:
        layers = dict.fromkeys(self.runs, Load())
        ends = {True: Load(), False: Load()}
        for like, early, load in self._placed():
            if like is not None:
                layers[like] = layers[like].plus(load.times(1 / self.runs[like]))
            else:
                ends[early] = ends[early].plus(load)
        carried, tied = self._between(model)
        return Parts(layers, ends[True], ends[False], carried, tied)

    def _placed(self) -> Iterator[tuple[str | None, bool, Load]]:
        for path, name, load in (*self._computing(), *self._sending(), *self._keeping()):
            yield self._like(path), (path, name) in self.early, load

    def _computing(self) -> Iterator[tuple[str, str, Load]]:
        asked, layout = self.asked, self.layout
        pricing = Pricing(
            self.sharded, self.sizes, self.memo, self.speed, layout.sp, asked.fused, asked.width
        )
        for site, load in pricing.sites():
            yield site.path, site.outputs[0].name, load.times(1 / layout.cp)

    def _sending(self) -> Iterator[tuple[str, str, Load]]:
        for c in communication(self.placed):
            if c.over in ("tp", "sp", "ep", "cp"):
                seconds = self.seconds(c)
                if c.when == "step":
                    yield c.path, c.value, Load(fixed=seconds)
                elif c.when == "forward":
                    yield c.path, c.value, Load(sent_forward=seconds)
                else:
                    yield c.path, c.value, Load(sent_backward=seconds)

    def seconds(self, c: Collective) -> float:
        count = devices(self.placed, c)
        sent = bytes_of(c, self.sizes, count, self.asked.width)
        return sent / self.speed.between(self.layout, c.over, count) + c.times * self.speed.latency

    def _keeping(self) -> Iterator[tuple[str, str, Load]]:
        asked, sharded, layout = self.asked, self.sharded, self.layout
        whole = "selective" if asked.fused else "none"  # a fused attention keeps no scores
        recompute = whole if asked.recompute == "none" else asked.recompute
        yield from self._kept(self.memo.held(sharded, layout.sp, recompute, asked.width), False)
        if recompute == "full":
            yield from self._kept(self.memo.held(sharded, layout.sp, whole, asked.width), True)

    def _kept(self, held: Held, again: bool) -> Iterator[tuple[str, str, Load]]:
        """`again`: for as long as one layer runs a second time."""
        for path, name, size in held:
            bytes_ = number(self.sizes.size(size), "what is kept") / self.layout.cp
            yield path, name, Load(again=bytes_) if again else Load(kept=bytes_)

    def _between(self, model: Shardable) -> tuple[float, float]:
        """Bytes between two stages for one microbatch, and of a weight that first and last stage hold."""
        if layer_count(self.sharded.graph) < 2:
            return 0.0, 0.0
        layout = self.layout
        two = Layout(dp=layout.ep, tp=layout.tp, pp=2, cp=layout.cp, ep=layout.ep, sp=layout.sp)
        found = communication(place(model, two), 0)
        width = self.asked.width
        carried = (bytes_of(c, self.sizes, 2, width) for c in found if c.over == "pp" and c.when == "forward")
        tied = (bytes_of(c, self.sizes, 2, width) for c in found if c.over == "ends")
        return sum(carried), sum(tied)

    def _like(self, path: str) -> str | None:
        return next((like for like in self.runs if f"{path}.".startswith(f"{like}.")), None)

    def _early(self) -> set[tuple[str, str]]:
        """Values and parameters that are used before the first layer, by their region and name."""
        found = set[tuple[str, str]]()
        for site in self.sharded.trace.sites:
            if self._like(site.path) is not None:
                break
            found |= {(site.path, x.name) for x in site.tensors}
        return found


def bytes_of(c: Collective, sizes: Sizes, count: int, width: int) -> int:
    """Bytes that each of so many devices sends, by a ring."""
    known = n.num(number(sizes.size(c.elements), "what is sent"))
    return int(replace(c, elements=known).wire(count, width))
