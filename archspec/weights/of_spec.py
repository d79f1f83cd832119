"""The weight map of a spec's graph, for one section of its `weights`."""

from __future__ import annotations

from archspec.ir.graph import Graph, parameters
from archspec.ir.types import TensorType
from archspec.lowering.weights_section import WeightsSection, read_section
from archspec.spec.spec import Spec
from archspec.weights.arrays import TensorSpec
from archspec.weights.mapping import WeightMap, identity
from archspec.weights.rules import WeightRules, read_rules


def rules_of(spec: Spec, section: str) -> WeightRules:
    """The rules of `weights.<section>`, for the spec's params.

    Raises SpecError as `read_section` does, WeightsError W001 for mistakes of form.
    """
    read = read_section(spec, section)
    return read_rules(read.plain, read.spans)


def map_of(spec: Spec, graph: Graph, section: str) -> WeightMap:
    """The map between the graph's parameters and the checkpoint that `weights.<section>` describes.

    Raises SpecError as `read_section` does, WeightsError W001 to W007 where it is no bijection.
    """
    return map_by(read_section(spec, section), graph)


def map_by(section: WeightsSection, graph: Graph) -> WeightMap:
    """The map by a section that is read already. Raises WeightsError W001 to W007."""
    rules = read_rules(section.plain, section.spans)
    return WeightMap.build(rules, tensors_of(graph), dict(graph.ties), section.spans)


def native_map(graph: Graph) -> WeightMap:
    """The map of a file that uses our own names."""
    return identity(tensors_of(graph), dict(graph.ties))


def tensors_of(graph: Graph) -> dict[str, TensorSpec]:
    """Every stored parameter by its path; tied aliases are not stored."""
    ties = dict(graph.ties)
    return {path: _tensor(param.value.type) for path, param in parameters(graph) if path not in ties}


def _tensor(type_: TensorType) -> TensorSpec:
    dtype = "float32" if type_.dtype == "float" else type_.dtype
    return TensorSpec(tuple(int(size) for size in type_.shape), dtype)
