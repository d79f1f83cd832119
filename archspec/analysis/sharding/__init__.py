"""How a model is split over devices, read off its graph.

`Shardable(graph)` reads a graph once. `.shard(tp, ep)` gives one device's graph and what tp and ep send;
`place(model, layout)` adds stages and replicas, `communication` what a step sends, `layouts` what a search
may try.
"""

from archspec.analysis.sharding.activations import Kept, activations
from archspec.analysis.sharding.collective import Collective
from archspec.analysis.sharding.errors import LayoutError
from archspec.analysis.sharding.families import Family, Whole
from archspec.analysis.sharding.layout import Layout
from archspec.analysis.sharding.pipeline import Stage, layer_count, stages
from archspec.analysis.sharding.ranks import Held, Placed, place
from archspec.analysis.sharding.search import layouts
from archspec.analysis.sharding.shard import Shardable, Sharded, shard
from archspec.analysis.sharding.traffic import communication, devices

__all__ = [
    "Collective",
    "Family",
    "Held",
    "Kept",
    "Layout",
    "LayoutError",
    "Placed",
    "Shardable",
    "Sharded",
    "Stage",
    "Whole",
    "activations",
    "communication",
    "devices",
    "layer_count",
    "layouts",
    "place",
    "shard",
    "stages",
]
