"""Layers over the stages of a pipeline: what each stage holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from archspec.analysis.sharding.errors import LayoutError
from archspec.errors import Diagnostic
from archspec.ir.graph import Call, Graph, Param, Region, Repeat


class Stage(Struct, frozen=True):
    """One stage: its layers, chunk by chunk, and its learned numbers, those of experts apart.

    `runs`: how many of its layers are like the first one of each kind, by that one's path.
    """

    chunks: tuple[int, ...]
    dense: int
    experts: int
    runs: tuple[tuple[str, int], ...]

    @property
    def layers(self) -> int:
        return sum(self.chunks)

    @property
    def parameters(self) -> int:
        return self.dense + self.experts


@dataclass(slots=True)
class _Unit:
    """A layer, or what is between layers: learned numbers by path. `like`: the first of its kind."""

    like: str = ""
    dense: dict[str, int] = field(default_factory=dict[str, int])
    experts: int = 0

    @property
    def layer(self) -> bool:
        return bool(self.like)


def layer_count(graph: Graph) -> int:
    """How many layers can stand on different stages: those of repeats that are not inside another."""
    return sum(unit.layer for unit in _units(graph))


def stages(graph: Graph, pp: int, interleave: int = 1) -> tuple[Stage, ...]:
    """What each of `pp` stages holds; `graph` is the whole model or one device's part of it.

    Layers are spread evenly; where they do not divide, stages that hold nothing else take one more.
    Embeddings stand before the first layer, heads behind the last; a tied weight is held by both ends.
    `interleave`: each stage has so many chunks of layers (Narayanan et al. 2021, arXiv:2104.04473, section
    2.2). Raises LayoutError: G012 for more stages than layers, G013 where layers do not divide into chunks.
    """
    units = _units(graph)
    count = sum(unit.layer for unit in units)
    if pp > max(count, 1):
        raise LayoutError(
            Diagnostic("G012", f"pp {pp}: '{graph.name}' has {count} layers", None, f"pp {count}")
        )
    if interleave > 1 and count % (pp * interleave):
        problem = f"interleave {interleave}: {pp * interleave} chunks do not divide {count} layers"
        raise LayoutError(Diagnostic("G013", problem, None, "interleave 1 takes any number of layers"))
    sizes = _sizes(units, count, pp * interleave)
    held: list[list[_Unit]] = [[] for _ in range(pp)]
    for chunk, part in enumerate(_parts(units, sizes)):
        held[chunk % pp] += part
    aliases = dict(graph.ties)
    return tuple(_stage(part, sizes[i::pp], aliases) for i, part in enumerate(held))


def _sizes(units: Sequence[_Unit], count: int, chunks: int) -> list[int]:
    """Layers of each chunk: those in the middle take what is over."""
    even, over = divmod(count, chunks)
    ends = (_end(units), _end(units[::-1]))
    load = {0: ends[0], chunks - 1: ends[1]} if chunks > 1 else {}
    more = set(sorted(range(chunks), key=lambda chunk: load.get(chunk, 0))[:over])
    return [even + (chunk in more) for chunk in range(chunks)]


def _end(units: Sequence[_Unit]) -> int:
    """Learned numbers before the first layer."""
    first = next((i for i, unit in enumerate(units) if unit.layer), len(units))
    return sum(sum(unit.dense.values()) for unit in units[:first])


def _parts(units: Sequence[_Unit], sizes: Sequence[int]) -> Iterator[list[_Unit]]:
    """Consecutive units with so many layers each; what follows a layer stays with it."""
    start = 0
    for number, size in enumerate(sizes):
        end, left = start, size
        while end < len(units) and (number == len(sizes) - 1 or left or not units[end].layer):
            left -= units[end].layer
            end += 1
        yield list(units[start:end])
        start = end


def _stage(units: Sequence[_Unit], chunks: Sequence[int], aliases: dict[str, str]) -> Stage:
    held = {path: count for unit in units for path, count in unit.dense.items()}
    own = sum(count for path, count in held.items() if aliases.get(path) not in held)
    runs = Counter(unit.like for unit in units if unit.layer)
    return Stage(tuple(chunks), own, sum(unit.experts for unit in units), tuple(runs.items()))


def _units(graph: Graph) -> list[_Unit]:
    units = [_Unit()]
    _walk(graph.root, "", units)
    return [unit for unit in units if unit.layer or unit.dense or unit.experts]


def _walk(region: Region, path: str, units: list[_Unit]) -> None:
    """Appends what a region adds: its own parameters to the unit so far, and each of its layers."""
    units[-1].dense |= _own(region.params, path)
    for node in region.nodes:
        if isinstance(node, Call) and not node.shared:
            _walk(node.region, _path(path, node.region.name), units)
        elif isinstance(node, Repeat) and node.rows is None:
            units += _layers(node, _path(path, node.name))
            units.append(_Unit())
        elif isinstance(node, Repeat):
            units[-1].experts += _experts(node)


def _layers(node: Repeat, path: str) -> Iterator[_Unit]:
    held = [_held(variant, "") for variant in node.variants]
    for layer, variant in enumerate(node.schedule):
        like = _path(path, str(0 if node.shared else node.schedule.index(variant)))
        if node.shared and layer:
            yield _Unit(like)
        else:
            own = {_path(path, f"{layer}.{name}"): count for name, count in held[variant][0].items()}
            yield _Unit(like, own, held[variant][1])


def _held(region: Region, path: str) -> tuple[dict[str, int], int]:
    """Learned numbers of a region by path, those of experts in one sum."""
    dense, experts = _own(region.params, path), 0
    for node in region.nodes:
        if isinstance(node, Call) and not node.shared:
            inner, more = _held(node.region, _path(path, node.region.name))
            dense, experts = dense | inner, experts + more
        elif isinstance(node, Repeat) and node.rows is None:
            for unit in _layers(node, _path(path, node.name)):
                dense, experts = dense | unit.dense, experts + unit.experts
        elif isinstance(node, Repeat):
            experts += _experts(node)
    return dense, experts


def _experts(node: Repeat) -> int:
    sizes = [sum(_held(variant, "")[0].values()) for variant in node.variants]
    return sum(sizes[variant] for variant in node.schedule)


def _own(params: Sequence[Param], path: str) -> dict[str, int]:
    return {
        _path(path, param.name): math.prod(int(size) for size in param.value.type.shape)
        for param in params
        if param.trainable
    }


def _path(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
