"""What `check` proves of a spec beyond that it lowers: the facts it states, and its weight maps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from msgspec import Struct

from archspec.errors import ArchspecError, Collector, did_you_mean
from archspec.ir.graph import Call, Graph, Node, Region, Repeat, parameter_count, walk
from archspec.lowering.weights_section import read_section
from archspec.spec.node import Mapping as Table
from archspec.spec.node import Scalar
from archspec.spec.spec import Spec
from archspec.weights.of_spec import map_by

_FACTS = ("params",)
_LAYER = re.compile(r'(?<=[".])\d{1,5}(?=[".])')  # a number that is a segment of a path


class Checked(Struct, frozen=True):
    """A spec without findings. `facts` are the stated numbers that hold; `maps` the sections of `weights`."""

    spec: Spec
    graph: Graph
    parameters: int
    tensors: int
    facts: Mapping[str, int]
    maps: tuple[str, ...]

    @classmethod
    def of(cls, spec: Spec, graph: Graph) -> Checked:
        """Raises SpecError with all findings: E001 a wrong fact, E002 an unknown one, those of `map_of`."""
        found, params = Collector(), parameter_count(graph)
        facts = _proven(spec, params, found)
        maps = tuple(str(key.value) for key, _ in spec.section("weights").entries)
        for name in maps:
            _prove_map(spec, graph, name, found)
        found.raise_if_any()
        tensors = sum(len(region.params) * count for _, region, count in walk(graph.root)) - len(graph.ties)
        return cls(spec, graph, params, tensors, facts, maps)

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
        }

    def __str__(self) -> str:
        title = f"{self.spec.name} --preset {self.spec.preset}" if self.spec.preset else self.spec.name
        stated = ", as stated" if "params" in self.facts else ""
        maps = f"; weights: {', '.join(self.maps)}" if self.maps else ""
        return f"{title}: {self.parameters:,} parameters in {self.tensors:,} tensors{stated}{maps}"


def _proven(spec: Spec, params: int, found: Collector) -> dict[str, int]:
    """The facts that the document states of these params, compared."""
    _check_names(spec, found)
    facts = _facts(spec)
    for key, value in facts.entries if facts else ():
        if key.value == "params" and isinstance(value, Scalar) and value.value != params:
            message = f"the model has {params:,} parameters, not {value.value:,}"
            found.add("E001", message, value.span, f"if the model is right, write {params}")
    return {"params": params} if facts and facts.get("params") else {}


def _facts(spec: Spec) -> Table | None:
    """The facts about the spec as it is set: none where the caller changed params."""
    expect = spec.section("expect")
    if spec.overrides or spec.preset is None:
        return None if spec.overrides else expect
    presets = expect.get("presets")
    facts = presets.get(spec.preset) if isinstance(presets, Table) else None
    return facts if isinstance(facts, Table) else None


def _check_names(spec: Spec, found: Collector) -> None:
    """Facts that nobody would ever compare."""
    stated, presets = spec.section("expect").get("presets"), spec.section("presets").keys()
    for preset, facts in stated.entries if isinstance(stated, Table) else ():
        name = str(preset.value)
        if name not in presets:
            hint = did_you_mean(name, presets) or f"presets: {', '.join(presets) or 'none'}"
            found.add("E002", f"there is no preset '{name}' to state facts about", preset.span, hint)
        for key, _ in facts.entries if isinstance(facts, Table) else ():
            if key.value not in _FACTS:
                found.add(
                    "E002",
                    f"'{key.value}' is no fact that is checked",
                    key.span,
                    f"known: {', '.join(_FACTS)}",
                )


def _prove_map(spec: Spec, graph: Graph, name: str, found: Collector) -> None:
    """Layers of one kind map alike, so the first layers of each `repeat` stand for all of them."""
    try:
        section = read_section(spec, name)
        paths = json.dumps(
            [graph.ties, {key: rule for key, rule in section.plain.items() if key != "config"}]
        )
        layers = [int(digits) for digits in _LAYER.findall(paths)]
        map_by(section, replace(graph, root=_shortened(graph.root, max(layers, default=0) + 2)))
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
