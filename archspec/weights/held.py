"""Which checkpoint holds which tensors of a graph, from headers alone. Without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from archspec.ir.graph import Graph
from archspec.spec.spec import Spec
from archspec.weights.folder import Checkpoint, open_checkpoint
from archspec.weights.mapping import WeightMap
from archspec.weights.of_spec import Share, native_map, shares_of


class Held(Struct, frozen=True):
    """A checkpoint and its map. `names`: tensors of the graph, to those of the map that they are."""

    checkpoint: Checkpoint
    weights: WeightMap
    names: Mapping[str, str]


def held_in(spec: Spec, graph: Graph, path: Path) -> tuple[Held, ...]:
    """The checkpoints in `path` that together hold a graph: one of our own names, or those of the spec.

    Raises WeightsError: W020 to W023 where one cannot be read, W051 where none has a tensor.
    """
    native = native_map(graph)
    shares = shares_of(spec, graph) if spec.section("weights").entries else ()
    if not shares or _is_ours(path, native, shares):
        return (Held(open_checkpoint(path), native, {name: name for name in native.tensors}),)
    return tuple(Held(open_checkpoint(_folder(path, each)), each.weights, each.names) for each in shares)


def _folder(path: Path, share: Share) -> Path:
    """Where a checkpoint lies: in its own place among several, or alone."""
    inside = path / share.rules.folder if share.rules.folder else path
    return inside if inside.is_dir() else path


def _is_ours(path: Path, native: WeightMap, shares: tuple[Share, ...]) -> bool:
    """Whether a file uses our names, and not those of the hub."""
    if any(_folder(path, share) != path for share in shares):
        return False
    stored = set(open_checkpoint(path).tensors)
    hub = {name for share in shares for name in share.weights.hub}
    return stored <= {*native.tensors, *native.ties} and not stored <= hub
