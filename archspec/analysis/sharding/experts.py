"""Experts that stand on different devices: tokens travel to them and back."""

from __future__ import annotations

from archspec.analysis.sharding.collective import Collective
from archspec.analysis.sharding.tensor import Crossing, Site, Tensor
from archspec.analysis.sharding.trace import Trace
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.ops.reduce import TopK
from archspec.ir.ops.shape import Scatter


def dispatched(trace: Trace) -> tuple[Collective, ...]:
    """Each token goes to its experts and comes back, and so do the gradients in the backward pass.

    tokens * top_k * width elements each way, of which (ep - 1) / ep leave the device when the load is even
    (Lepikhin et al. 2020, arXiv:2006.16668).
    """
    makers = {x: step for step in trace.steps if isinstance(step, Site) for x in step.outputs}
    found: list[Collective] = []
    seen = set[Tensor]()
    for step in trace.steps:
        if isinstance(step, Crossing) and step.summed and step.outer[0] not in seen:
            seen.add(step.outer[0])
            (_, x), (_, gates) = step.entering[:2]
            found += _ways(step, x, step.outer[0], active(gates, makers))
    return tuple(found)


def _ways(step: Crossing, x: Tensor, y: Tensor, k: Num) -> list[Collective]:
    ways = [("forward", x), ("forward", y), ("backward", y), ("backward", x)]
    return [
        Collective(
            "all_to_all", "ep", when, step.around, v.name, _moved(v, k), v.type.dtype, step.around_times
        )
        for when, v in ways
    ]


def _moved(x: Tensor, k: Num) -> Num:
    return n.num((n.product(x.type.shape) * k).value)


def active(gates: Tensor, makers: dict[Tensor, Site]) -> Num:
    """How many experts a token runs: what top-k chose, where the gates come from one, else all of them."""
    waiting, seen = [gates], set[Tensor]()
    while waiting:
        x = waiting.pop(0)
        site = makers.get(x)
        if site is None or x in seen:
            continue
        seen.add(x)
        if isinstance(site.op, Scatter) and site.inputs[1] is not None:
            return site.inputs[1].type.shape[-1]
        if isinstance(site.op, TopK):
            return site.op.k
        waiting += [v for v in site.inputs if v is not None]
    return gates.type.shape[-1]
