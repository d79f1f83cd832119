"""The rules of a graph. Lowering and every pass must leave them true; backends rely on them.

verify.py holds the rules of a whole graph, verify_region.py those of a region and its nodes,
verify_names.py those of names and numbers.
"""

from __future__ import annotations

from archspec.errors import Collector, VerifyError
from archspec.ir.graph import Graph, Loss, Region, Value, parameter
from archspec.ir.scope import Scope, scope_of
from archspec.ir.verify_names import Findings, check_distinct, check_identifiers, shown
from archspec.ir.verify_region import RegionCheck


def verify(graph: Graph) -> None:
    """Checks every rule of the IR.

    Raises `VerifyError` with all findings: I101 undefined value, I102 two values of one name, I103 operands
    that an operation refuses, I104 other result types than it gives, I105 use unlike definition, I106 number
    of inputs or results of a region, I107 type of a region's input, I108 type of its result, I109 a repeat
    that does not carry, I110 schedule, I111 siblings of one name, I112 not an identifier, I113 size, I114
    state, I115 absent value, I116 tie, I117 writing against value, I118 unknown run-time size, I119 loss,
    I120 defaults, I121 shared call, I122 unknown word, I123 experts, I124 a call along an axis.
    """
    collector = Collector()
    _GraphCheck(graph, Findings(collector, "")).run()
    collector.raise_if_any(VerifyError)


class _GraphCheck:
    def __init__(self, graph: Graph, found: Findings) -> None:
        self.graph, self.found = graph, found
        self.scope: Scope = scope_of(graph)
        self.inputs = {value.name: value for value in graph.inputs}

    def run(self) -> None:
        self.sizes()
        root = self.graph.root
        computed = {v.name for v in self.graph.defaults.outputs} if self.graph.defaults else set[str]()
        check = RegionCheck(root, self.scope, self.found, present=computed)
        check.run()
        self.outputs(check)
        if self.graph.defaults:
            self.inputs_alone(self.graph.defaults, "defaults", set(), "I120")
        check_distinct(self.found, "loss", [loss.name for loss in self.graph.losses])
        for loss in self.graph.losses:
            self.loss(loss)
        if not self.found.has("I110"):
            self.ties()

    def sizes(self) -> None:
        check_identifiers(self.found, "run-time size", self.graph.dims)
        check_distinct(self.found, "run-time size", self.graph.dims)
        stream = self.graph.stream
        if stream is not None and stream not in self.graph.dims:
            self.found.add("I118", f"'{stream}' streams, but is no run-time size of the graph")

    def outputs(self, root: RegionCheck) -> None:
        names = [name for name, _ in self.graph.outputs]
        check_identifiers(self.found, "output", names)
        check_distinct(self.found, "output", names)
        root.results(tuple(value for _, value in self.graph.outputs), "the graph's output")

    def inside(self, region: Region, word: str, present: set[str]) -> None:
        scope = self.scope.inside(self.graph.root)
        RegionCheck(region, scope, self.found.below(word), present=present).run()

    def inputs_alone(self, region: Region, word: str, present: set[str], code: str) -> None:
        """A region from inputs of the graph to others, each with the name and type of that input."""
        self.inside(region, word, present)
        check_distinct(self.found, f"result of {word}", [v.name for v in region.outputs])
        for value in (*region.inputs, *region.outputs):
            input_ = self.inputs.get(value.name)
            if input_ is None:
                self.found.add(code, f"{word}: the graph has no input '{value.name}'")
            elif input_.type != value.type:
                problem = f"'{value.name}' is {value.type}, but the input is {input_.type}"
                self.found.add(code, f"{word}: {problem}")

    def loss(self, loss: Loss) -> None:
        check_identifiers(self.found, "loss", [loss.name])
        self.inside(loss.region, f"loss {loss.name}", {v.name for v in loss.region.inputs})
        for value in loss.region.inputs:
            self.loss_input(loss, value)
        results = [value.type for value in loss.region.outputs]
        if len(results) != 1 or results[0].rank != 0:
            self.found.add("I119", f"loss '{loss.name}' gives {shown(results)}, not one scalar")
        if loss.feed:
            present = {v.name for v in loss.feed.inputs}
            self.inputs_alone(loss.feed, f"feed of {loss.name}", present, "I119")

    def loss_input(self, loss: Loss, value: Value) -> None:
        named = [v.type for name, v in self.graph.outputs if name == value.name]
        named += [v.type for v in self.graph.inputs if v.name == value.name]
        if not named:
            self.found.add("I119", f"loss '{loss.name}' reads '{value.name}', which is no input or output")
        elif value.type not in named:
            problem = f"reads '{value.name}' as {value.type}, but it is {named[0]}"
            self.found.add("I119", f"loss '{loss.name}' {problem}")

    def ties(self) -> None:
        target_of: dict[str, str] = {}
        for alias, target in self.graph.ties:
            a, b = parameter(self.graph, alias), parameter(self.graph, target)
            if a is None or b is None:
                self.found.add("I116", f"there is no parameter '{target if a else alias}' to tie")
            elif a.value.type != b.value.type:
                self.found.add("I116", f"'{alias}' {a.value.type} cannot be '{target}' {b.value.type}")
            if alias in target_of:
                self.found.add("I116", f"'{alias}' is tied twice")
            target_of[alias] = target
        for alias in target_of:
            if _circles(alias, target_of):
                self.found.add("I116", f"the tie of '{alias}' leads back to itself")


def _circles(start: str, target_of: dict[str, str]) -> bool:
    seen, name = {start}, target_of[start]
    while name in target_of and name not in seen:
        seen.add(name)
        name = target_of[name]
    return name == start
