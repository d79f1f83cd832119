"""What `check` proves of a spec beyond that it lowers: the facts it states, and its weight maps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from msgspec import Struct
from msgspec.structs import replace as spec_replace

from archspec.analysis import stated
from archspec.errors import ArchspecError, Collector, did_you_mean
from archspec.ir.graph import Call, Graph, Node, Region, Repeat, parameter_count, walk
from archspec.lowering import graphs
from archspec.lowering.lower import lower
from archspec.lowering.weights_section import read_section
from archspec.spec.node import Mapping as Table
from archspec.spec.spec import Spec, facts_of
from archspec.weights.of_spec import map_by

_LAYER = re.compile(r'(?<=[".])\d{1,5}(?=[".])')  # a number that is a segment of a path


class Checked(Struct, frozen=True):
    """A spec without findings.

    `facts` are the stated numbers that hold, `maps` the sections of `weights`, `parts` the parameters of each
    part that can be built alone.
    """

    spec: Spec
    graph: Graph
    parameters: int
    tensors: int
    facts: Mapping[str, int]
    maps: tuple[str, ...]
    parts: Mapping[str, int]

    @classmethod
    def of(cls, spec: Spec, graph: Graph) -> Checked:
        """Raises SpecError with all findings: E001 a wrong fact, E002 an unknown one, those of `map_of`."""
        found, params = Collector(), parameter_count(graph)
        facts, parts = _proven(spec, graph, found), _parts(spec, graph, found)
        maps = tuple(str(key.value) for key, _ in spec.section("weights").entries)
        whole = graph if spec.graph is None else lower(spec_replace(spec, graph=None))
        for name in maps:
            _prove_map(spec, whole, name, found)
        found.raise_if_any()
        tensors = sum(len(region.params) * count for _, region, count in walk(graph.root)) - len(graph.ties)
        return cls(spec, graph, params, tensors, facts, maps, parts)

    def record(self) -> dict[str, object]:
        """The findings as plain data."""
        settings = {"preset": self.spec.preset, "overrides": [name for name, _ in self.spec.overrides]}
        counts = {"parameters": self.parameters, "tensors": self.tensors}
        return {
            "name": self.spec.name,
            **settings,
            **counts,
            "facts": dict(self.facts),
            "weights": list(self.maps),
            "graphs": dict(self.parts),
        }

    def __str__(self) -> str:
        graph = f" --graph {self.spec.graph}" if self.spec.graph else ""
        preset = f" --preset {self.spec.preset}" if self.spec.preset else ""
        title = f"{self.spec.name}{graph}{preset}"
        stated = ", as stated" if "params" in self.facts else ""
        maps = f"; weights: {', '.join(self.maps)}" if self.maps else ""
        parts = "".join(f"\n  {name}: {count:,} parameters" for name, count in self.parts.items())
        return f"{title}: {self.parameters:,} parameters in {self.tensors:,} tensors{stated}{maps}{parts}"


def _proven(spec: Spec, graph: Graph, found: Collector) -> dict[str, int]:
    """The facts that the document states of these params, compared."""
    _check_names(spec, found)
    return stated.prove(facts_of(spec), graph, "the model", found)


def _parts(spec: Spec, graph: Graph, found: Collector) -> dict[str, int]:
    """Every part of the model by its parameters, compared with what is stated of it."""
    if spec.graph is not None or spec.preset is not None or spec.overrides:
        return {}
    expect = spec.section("expect").get("graphs")
    out: dict[str, int] = {}
    for name in graphs.names(spec):
        part = graphs.part(spec, graph, name)
        out[name] = parameter_count(part)
        facts = expect.get(name) if isinstance(expect, Table) else None
        stated.prove(facts if isinstance(facts, Table) else None, part, f"'{name}'", found)
    return out


def _check_names(spec: Spec, found: Collector) -> None:
    """Facts that nobody would ever compare."""
    for group in ("presets", "graphs"):
        _check_group(spec, group, found)


def _check_group(spec: Spec, group: str, found: Collector) -> None:
    expect, known = spec.section("expect").get(group), spec.section(group).keys()
    for each, facts in expect.entries if isinstance(expect, Table) else ():
        name = str(each.value)
        if name not in known:
            hint = did_you_mean(name, known) or f"{group}: {', '.join(known) or 'none'}"
            found.add("E002", f"there is no {group[:-1]} '{name}' to state facts about", each.span, hint)
        for key, _ in facts.entries if isinstance(facts, Table) else ():
            if key.value not in stated.KINDS:
                message, hint = f"'{key.value}' is no fact that is checked", ", ".join(stated.KINDS)
                found.add("E002", message, key.span, f"known: {hint}")


def _prove_map(spec: Spec, graph: Graph, name: str, found: Collector) -> None:
    """Layers of one kind map alike, so the first layers of each `repeat` stand for all of them."""
    try:
        section = read_section(spec, name)
        paths = json.dumps(
            [graph.ties, {key: rule for key, rule in section.plain.items() if key != "config"}]
        )
        layers = [int(digits) for digits in _LAYER.findall(paths)]
        map_by(spec, section, replace(graph, root=_shortened(graph.root, max(layers, default=0) + 2)))
    except ArchspecError as error:
        found.extend(error)


def _shortened(region: Region, least: int) -> Region:
    """Every repeat with its first layers: `least` of them, and those up to the last one of a new kind."""
    return replace(region, nodes=tuple(_short(node, least) for node in region.nodes))


def _short(node: Node, least: int) -> Node:
    if isinstance(node, Call):
        return replace(node, region=_shortened(node.region, least))
    if isinstance(node, Repeat):
        news = max((node.schedule.index(kind) for kind in set(node.schedule)), default=0) + 1
        variants = tuple(_shortened(variant, least) for variant in node.variants)
        return replace(node, variants=variants, schedule=node.schedule[: max(news, least)])
    return node
