"""The least that has to be kept of a token so that its keys and values can be computed again.

Attention over a latent (multi-head latent attention, arXiv:2405.04434) makes keys and values of all heads
from a few hundred numbers. What is smallest is a cut through the operations between a layer's input and its
keys and values; by the theorem of Ford and Fulkerson (1956) it is as large as the largest flow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from archspec.analysis.widths import width
from archspec.dims import poly
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.types import is_float

_END = "()"
Capacities = dict[tuple[str, str], int]
_BOUNDLESS = 1 << 62


def per_token(value: Value, built: str) -> int:
    """Bytes of a value for one token of one sequence: where all run-time sizes are 1, and nothing is held."""
    elements = 1
    for size in value.type.shape:
        elements *= _alone(size)
    return elements * width(value.type.dtype, built)


def _alone(size: Num) -> int:
    value = size.size
    if isinstance(value, poly.Poly):
        ones = {name: int(name != "past") for name in poly.symbols(value)}
        value = poly.evaluate(value, ones)
    assert isinstance(value, int), "every symbol was given"
    return value


def least(region: Region, kept: Apply, built: str) -> int:
    """Bytes of a token in the smallest cut before `kept`, behind the layer's first products."""
    learned = {param.name for param in region.params}
    capacities: Capacities = {}
    made: set[str] = set()  # values behind a product
    for node in region.nodes:
        inputs = [v.name for v in node.inputs if v and is_float(v.type.dtype) and v.name not in learned]
        behind = _multiplies(node) or bool(made.intersection(inputs))
        for out in node.outputs:
            capacities[f"{out.name}<", f"{out.name}>"] = per_token(out, built) if behind else _BOUNDLESS
            capacities |= {(f"{name}>", f"{out.name}<"): _BOUNDLESS for name in inputs}
            made.update([out.name] if behind else [])
        if node is kept:
            break
    capacities |= {("", f"{v.name}>"): _BOUNDLESS for v in region.inputs}
    capacities |= {(f"{v.name}>", _END): _BOUNDLESS for v in kept.inputs if v}
    return _largest_flow(capacities)


def _multiplies(node: Node) -> bool:
    if isinstance(node, Apply):
        return node.op.work == "product"
    return any(_multiplies(inner) for region in node.regions for inner in region.nodes)


def _largest_flow(capacities: Capacities) -> int:
    """From "" to the end, by shortest augmenting paths (Edmonds and Karp 1972)."""
    free, total = dict(capacities), 0
    following: dict[str, list[str]] = {}
    for a, b in capacities:
        following.setdefault(a, []).append(b)
        following.setdefault(b, []).append(a)
    while path := _path(free, following):
        room = min(free[step] for step in path)
        total += room
        for a, b in path:
            free[a, b] -= room
            free[b, a] = free.get((b, a), 0) + room
    return total


def _path(free: Mapping[tuple[str, str], int], following: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    before, waiting = dict[str, str](), deque([""])
    while waiting and _END not in before:
        here = waiting.popleft()
        for there in following.get(here, ()):
            if there and there not in before and free.get((here, there), 0) > 0:
                before[there] = here
                waiting.append(there)
    if _END not in before:
        return []
    path, at = list[tuple[str, str]](), _END
    while at:
        path.append((before[at], at))
        at = before[at]
    return path
