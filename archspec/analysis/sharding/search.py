"""The layouts that a model allows on a number of devices."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.analysis.sharding.cut import cut
from archspec.analysis.sharding.errors import LayoutError
from archspec.analysis.sharding.layout import Layout
from archspec.analysis.sharding.pipeline import layer_count
from archspec.analysis.sharding.ranks import check_cp
from archspec.analysis.sharding.shard import Shardable
from archspec.errors import Diagnostic

MICRO = (1, 2, 4, 8, 16)  # sequences of one microbatch


def layouts(
    model: Shardable,
    gpus: int,
    per_node: int = 8,
    *,
    batch: int | None = None,
    long: bool = False,
    zeros: tuple[int, ...] = (0, 1, 2, 3),
) -> Iterator[Layout]:
    """Every legal layout of `gpus` devices, tensor parallelism first; each can be placed.

    tp stays within a node of `per_node` devices. `batch`: sequences of a step, shared by dp; microbatches
    take 1, 2, 4, 8 or 16 of them. `long`: cp is tried, too. With a pipeline, `zero` above 1 is left out: each
    microbatch would send its gradients, or gather weights, again. Raises LayoutError: G006 for numbers below
    1, G016 where there is none.
    """
    for name, value in (("gpus", gpus), ("per_node", per_node), ("batch", 1 if batch is None else batch)):
        if value < 1:
            raise LayoutError(Diagnostic("G006", f"{name} is {value}, not 1 or more"))
    found = False
    for layout in _all(model, gpus, per_node, batch, long, zeros):
        found = True
        yield layout
    if not found:
        problem = f"'{model.trace.graph.name}' has no layout for {gpus} devices and a batch of {batch}"
        raise LayoutError(Diagnostic("G016", problem))


def _all(
    model: Shardable, gpus: int, per_node: int, batch: int | None, long: bool, zeros: tuple[int, ...]
) -> Iterator[Layout]:
    layers = layer_count(model.trace.graph)
    for tp in tensor_sizes(model, min(per_node, gpus)):
        for cp in context_sizes(model, tp, gpus // tp) if long else (1,):
            for pp in (p for p in _divisors(gpus // tp // cp) if p <= max(layers, 1)):
                if gpus % (tp * cp * pp) == 0:
                    dp = gpus // (tp * cp * pp)
                    yield from _rest(model, Layout(dp=dp, tp=tp, cp=cp, pp=pp), layers, batch, zeros)


def _rest(
    model: Shardable, base: Layout, layers: int, batch: int | None, zeros: tuple[int, ...]
) -> Iterator[Layout]:
    spread = (False, True) if _can_spread(model, base.tp) else (False,)
    for ep in expert_sizes(model, base.data):
        for zero in zeros:
            if (zero and base.data == 1) or (zero > 1 and base.pp > 1):
                continue
            for sp in spread:
                for m, v in _schedules(base, layers, batch):
                    yield Layout(base.dp, base.tp, base.pp, base.cp, ep, zero, sp, m, v)


def _schedules(base: Layout, layers: int, batch: int | None) -> Iterator[tuple[int, int]]:
    """Microbatches and chunks: interleaving takes equal chunks, and multiples of the stages."""
    if batch is None:
        counts = [base.pp]
    else:
        counts = [batch // (base.dp * size) for size in MICRO if batch % (base.dp * size) == 0]
    for m in counts:
        yield m, 1
        fits = base.pp > 1 and m % base.pp == 0
        for v in _divisors(layers // base.pp)[1:] if fits and layers % base.pp == 0 else ():
            yield m, v


def tensor_sizes(model: Shardable, most: int) -> tuple[int, ...]:
    """Every tp up to `most` that the model allows."""
    return tuple(tp for tp in range(1, most + 1) if _cuts(model, tp))


def _cuts(model: Shardable, tp: int) -> bool:
    try:
        cut(model.trace.dims, model.found, tp)
    except LayoutError:
        return False
    return True


def expert_sizes(model: Shardable, data: int) -> tuple[int, ...]:
    """Every ep that divides the experts of each layer, and the devices that share dense weights."""
    counts = {int(node.count) for _, node in model.trace.experts}
    fits = (ep for ep in _divisors(data) if all(count % ep == 0 for count in counts))
    return tuple(fits) if counts else (1,)


def context_sizes(model: Shardable, tp: int, most: int) -> tuple[int, ...]:
    """Every power of two up to `most` if a sequence can be spread, else 1."""
    sharded = model.shard(tp)
    try:
        check_cp(sharded)
    except LayoutError:
        return (1,)
    return tuple(2**i for i in range(most.bit_length()) if 2**i <= most)


def _can_spread(model: Shardable, tp: int) -> bool:
    sharded = model.shard(tp)
    tokens = sharded.tokens
    return tp > 1 and bool(tokens.roots) and tokens.alone(sharded.cut) is None


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]
