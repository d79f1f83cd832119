"""The weight map of a spec's graph, for each section of its `weights`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from archspec.errors import Diagnostic, WeightsError, did_you_mean
from archspec.ir.graph import Graph, parameters
from archspec.ir.types import TensorType
from archspec.lowering import graphs
from archspec.lowering.lower import lower
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


def start_token(spec: Spec) -> int:
    """The id that a decoder behind an encoder begins with: what the hub's config says, else 0."""
    has_hub = spec.section("weights").get("hf") is not None
    found = rules_of(spec, "hf").config.get("decoder_start_token_id") if has_hub else 0
    return found if isinstance(found, int) else 0


def map_of(spec: Spec, graph: Graph, section: str) -> WeightMap:
    """The map between the graph's parameters and the checkpoint that `weights.<section>` describes.

    Raises SpecError as `read_section` does, WeightsError W001 to W007 where it is no bijection.
    """
    return map_by(spec, read_section(spec, section), _whole(spec, graph))


def map_by(spec: Spec, section: WeightsSection, graph: Graph) -> WeightMap:
    """The map of a spec's whole graph, by a section that is read. Raises WeightsError W001 to W007."""
    rules = read_rules(section.plain, section.spans)
    held = graph if rules.graph is None else graphs.part(spec, graph, _known(spec, rules.graph, section))
    return WeightMap.build(rules, tensors_of(held), dict(held.ties), section.spans)


def _known(spec: Spec, name: str, section: WeightsSection) -> str:
    if name not in graphs.names(spec):
        hint = did_you_mean(name, graphs.names(spec)) or f"graphs: {', '.join(graphs.names(spec)) or 'none'}"
        message = f"weights: '{spec.name}' has no graph '{name}'"
        raise WeightsError(Diagnostic("W001", message, section.spans.get("graph"), hint))
    return name


def _whole(spec: Spec, graph: Graph) -> Graph:
    return graph if spec.graph is None else lower(replace(spec, graph=None))


class Share(Struct, frozen=True):
    """What one checkpoint holds of a graph. `names`: ours in the graph, to ours in the map."""

    section: str
    rules: WeightRules
    weights: WeightMap
    names: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether the graph has all that the checkpoint holds."""
        return set(self.names.values()) >= set(self.weights.tensors)


def shares_of(spec: Spec, graph: Graph) -> tuple[Share, ...]:
    """The checkpoints that together hold a graph: those of `weights` that have any of its tensors.

    Raises as `map_of` does, and WeightsError W051 where they lack a tensor of the graph.
    """
    wanted, found = tensors_of(graph), list[Share]()
    sections = spec.section("weights").keys()
    for section in sections:
        weights = map_of(spec, graph, section)
        meant = {name: weights.ties.get(name, name) for name in wanted}
        names = {name: other for name, other in meant.items() if other in weights.tensors}
        if names:
            found.append(Share(section, rules_of(spec, section), weights, names))
    lacking = sorted(wanted.keys() - {name for share in found for name in share.names})
    if lacking:
        message = f"no section of 'weights' maps {len(lacking)} parameters, '{lacking[0]}' among them"
        key = spec.node.key("weights")
        raise WeightsError(Diagnostic("W051", message, key and key.span, "add a section for their graph"))
    return tuple(found)


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
