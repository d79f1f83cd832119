"""What one device sends in one training step of a layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec.structs import replace

from archspec.analysis.sharding.collective import Collective, counted, fraction
from archspec.analysis.sharding.ranks import Placed
from archspec.analysis.sharding.tensor import Crossing, Tensor
from archspec.analysis.sharding.trace import Trace
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.graph import parameter
from archspec.ir.ops.attention import Attention


def communication(placed: Placed, stage: int | None = None) -> tuple[Collective, ...]:
    """Collectives of one step on a device of `stage`, or of the fullest; what an output gathers is left out.

    Sizes are in B and S: the sequences of one microbatch of one replica, and their whole length.
    """
    layout = placed.layout
    stage = placed.fullest.stage if stage is None else stage
    inside = [*_within(placed, stage), *_ring(placed, stage)]
    repeated = (replace(c, times=c.times * layout.microbatches) if c.when != "step" else c for c in inside)
    between = (*_neighbours(placed, stage), *_tied(placed, stage))
    return (*repeated, *_whole(placed, stage), *between, *_replicas(placed, stage))


def sequence_parallel(collectives: Iterable[Collective]) -> Iterator[Collective]:
    """tp's all_reduces, where tokens are spread between regions (Korthikanti et al. 2022, figure 5).

    Forward all_reduce: reduce_scatter, whose backward is all_gather. Backward all_reduce: all_gather forward,
    reduce_scatter backward, and all_gather again for the weight's gradient, since only the part was kept.
    """
    for c in collectives:
        spread = c.over == "tp" and c.kind == "all_reduce" and not c.path.startswith("loss ")
        if not spread or c.when not in ("forward", "backward"):
            yield c
        elif c.when == "forward":
            yield replace(c, kind="reduce_scatter", over="sp")
            yield replace(c, kind="all_gather", over="sp", when="backward")
        else:
            yield replace(c, kind="all_gather", over="sp", when="forward")
            yield replace(c, kind="reduce_scatter", over="sp")
            yield replace(c, kind="all_gather", over="sp")


def _within(placed: Placed, stage: int) -> Iterator[Collective]:
    """tp, sp and ep of one microbatch: the stage's share of the layers', and what stands at its end."""
    known: Iterable[Collective] = (c for c in placed.sharded.collectives if c.when != "output")
    known = sequence_parallel(known) if placed.layout.sp else known
    for c in known:
        here = _share(placed, stage, c)
        if here is not None:
            whole = c.when == "step" or placed.layout.cp == 1
            yield here if whole else replace(here, elements=fraction(here.elements, 1, placed.layout.cp))


def _share(placed: Placed, stage: int, c: Collective) -> Collective | None:
    """A layer's collective as often as the stage has layers like it; an end's, at that end."""
    runs = Counter[str]()
    for at in placed.stages:
        runs.update(dict(at.runs))
    like = next((path for path in runs if f"{c.path}.".startswith(f"{path}.")), None)
    if like is not None:
        here = dict(placed.stages[stage].runs).get(like, 0)
        return replace(c, times=c.times * here // runs[like]) if here else None
    end = 0 if (c.path, c.value) in _early(placed.sharded.trace, frozenset(runs)) else len(placed.stages) - 1
    return c if stage == end else None


@lru_cache(maxsize=64)
def _early(trace: Trace, layers: frozenset[str]) -> frozenset[tuple[str, str]]:
    """Values and parameters that are used before the first layer, by their region and name."""
    found = set[tuple[str, str]]()
    for site in trace.sites:
        if any(f"{site.path}.".startswith(f"{path}.") for path in layers):
            break
        found |= {(site.path, x.name) for x in site.tensors}
    return frozenset(found)


def _ring(placed: Placed, stage: int) -> Iterator[Collective]:
    """Keys and values of a device pass the cp - 1 others, forward; backward again, with their gradients.

    Liu et al. 2023, arXiv:2310.01889.
    """
    cp, cut = placed.layout.cp, placed.sharded.cut
    attentions = [s for s in placed.sharded.trace.sites if isinstance(s.op, Attention)] if cp > 1 else []
    for site in attentions:
        for x in (x for x in site.inputs[1:3] if x is not None):
            elements = counted(*cut.type(x).shape)
            part = fraction(elements, cp - 1, cp)
            for when, sent in (("forward", part), ("backward", n.num((part * 2).value))):
                ring = Collective("send", "cp", when, site.path, x.name, sent, x.type.dtype, site.times)
                here = _share(placed, stage, ring)
                if here is not None:
                    yield here


def _neighbours(placed: Placed, stage: int) -> Iterator[Collective]:
    """What a layer carries goes to the next stage, its gradient to the one before, once for each chunk."""
    layout, last = placed.layout, placed.layout.pp - 1
    chunks = layout.interleave
    forward = chunks if stage < last else chunks - 1
    backward = chunks if stage > 0 else chunks - 1
    for x in _carried(placed) if layout.pp > 1 else ():
        shares = layout.cp * (layout.tp if layout.sp else 1)
        elements = fraction(n.num(n.product(x.type.shape).value), 1, shares)
        for when, times in (("forward", forward), ("backward", backward)):
            if times:
                name, dtype = x.name, x.type.dtype
                sent = times * layout.microbatches
                yield Collective("send", "pp", when, "", name, elements, dtype, sent)


def _tied(placed: Placed, stage: int) -> Iterator[Collective]:
    """A weight that both ends hold: its gradient is summed over the two."""
    ends = placed.layout.pp > 1 and stage in (0, placed.layout.pp - 1)
    for alias, _ in placed.sharded.graph.ties if ends else ():
        param = parameter(placed.sharded.graph, alias)
        if param is not None:
            count = n.num(n.product(param.value.type.shape).value)
            yield Collective("all_reduce", "ends", "step", "", alias, count, "float")


def _whole(placed: Placed, stage: int) -> Iterator[Collective]:
    """Weights that tp does not cut see only a part of the tokens under sp: their gradients are summed."""
    owned = placed.sharded.trace.params.values() if placed.layout.sp else ()
    for one in owned:
        if one.param.trainable and not placed.sharded.cut.holds_part(one.tensor):
            count = n.num(n.product(one.tensor.type.shape).value)
            path, _, name = one.tensor.owner.rpartition(".")
            sum_ = Collective("all_reduce", "tp", "step", path, name, count, "float", one.times)
            here = _share(placed, stage, sum_)
            if here is not None:
                yield here


def _carried(placed: Placed) -> tuple[Tensor, ...]:
    """What passes from layer to layer, in the first repeat that has most of it."""
    found = [s for s in placed.sharded.trace.steps if isinstance(s, Crossing) and not s.summed]
    return max((step.outer for step in found), key=len, default=())


def _replicas(placed: Placed, stage: int) -> Iterator[Collective]:
    """Gradients, and what ZeRO gathers: 2 parameters' worth, 3 with weights spread.

    Rajbhandari et al. 2020, arXiv:1910.02054, section 7. With weights spread, each microbatch gathers them
    anew, forward and backward.
    """
    at, layout = placed.stages[stage], placed.layout
    groups = (("dense", at.dense, layout.data, "dp"), ("experts", at.experts, layout.expert_data, "edp"))
    for what, count, devices, over in groups:
        if devices > 1 and count:
            yield from _reduced(placed, what, n.num(count), over)


def _reduced(placed: Placed, what: str, count: Num, over: str) -> Iterator[Collective]:
    def message(kind: str, when: str, times: int = 1) -> Collective:
        return Collective(kind, over, when, "", f"{what} parameters", count, "float", times)

    if placed.layout.zero == 0:
        yield message("all_reduce", "step")
        return
    yield message("reduce_scatter", "step")
    if placed.layout.zero < 3:
        yield message("all_gather", "step")
    else:
        for when in ("forward", "backward"):
            yield message("all_gather", when, placed.layout.microbatches)


def devices(placed: Placed, c: Collective) -> int:
    """How many devices take part in a collective."""
    layout = placed.layout
    known = {"tp": layout.tp, "sp": layout.tp, "ep": layout.ep, "cp": layout.cp, "pp": layout.pp}
    return {**known, "dp": layout.data, "edp": layout.expert_data, "ends": 2}[c.over]
