"""Rules of a region: it sees only what it is given, and every node gives what it says."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.errors import Span
from archspec.ir.graph import INITS, Apply, Call, Node, Param, Region, Repeat, Value
from archspec.ir.op import Op, result_types
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.source import Otherwise
from archspec.ir.ops.state import Stateful
from archspec.ir.scope import Scope
from archspec.ir.types import ShapeError, TensorType
from archspec.ir.verify_along import types_along
from archspec.ir.verify_experts import as_rows, inside_types
from archspec.ir.verify_names import (
    Findings,
    check_bindings,
    check_distinct,
    check_identifiers,
    check_number,
    check_type,
    numbers,
    shown,
)
from archspec.ir.verify_state import StateCheck

_MASK = 5  # where the mask's operands begin among attention's: q, k, v, bias, sinks, then these


class RegionCheck:
    """One region and, through its nodes, those inside. `present`: optional inputs that are there."""

    def __init__(self, region: Region, outer: Scope, found: Findings, *, present: set[str]) -> None:
        self.region, self.found = region, found
        self.scope = check_bindings(found, region, outer)
        self.absent = {v.name for v in region.inputs if v.optional} - present
        self.defined: dict[str, Value] = {}
        self.called: dict[str, Region] = {}
        self.states = StateCheck(region.states, found)

    def run(self) -> None:
        for value in self.region.inputs:
            self.define(value, "input")
        for param in self.region.params:
            self.param(param)
        for state in self.region.states:
            self.states.declare(state, self.scope)
        for node in self.region.nodes:
            self.node(node)
        self.results(self.region.outputs, "a result")
        self.siblings()
        self.states.check_uses()

    def define(self, value: Value, what: str, span: Span | None = None) -> None:
        what = f"{what} '{value.name}'"
        check_identifiers(self.found, "value", [value.name], span)
        check_type(self.found, what, value.type, self.scope, span)
        if value.name in self.defined:
            self.found.add("I102", f"two values are called '{value.name}'", span)
        if value.optional and value not in self.region.inputs:
            self.found.add("I115", f"{what} is optional, but only an input may be absent", span)
        self.defined[value.name] = value

    def param(self, param: Param) -> None:
        init = param.init
        self.define(param.value, "parameter")
        if not all(size.static and size.real > 0 for size in param.value.type.shape):
            self.found.add("I113", f"parameter '{param.name}' is {param.value.type}: its sizes must be known")
        values = [x for x in (init.a, init.b) if x is not None]
        if INITS.get(init.kind) != len(values):
            self.found.add(
                "I122", f"parameter '{param.name}': no start '{init.kind}' of {len(values)} numbers"
            )
        for number in values:
            check_number(self.found, f"the start of '{param.name}'", number, self.scope)

    def siblings(self) -> None:
        names = [param.name for param in self.region.params]
        names += [
            node.region.name for node in self.region.nodes if isinstance(node, Call) and not node.shared
        ]
        names += [node.name for node in self.region.nodes if isinstance(node, Repeat)]
        check_distinct(self.found, "parameter or module", names)

    def use(self, value: Value, what: str, span: Span | None = None) -> None:
        """I101, I105: a value that is used stands above, and is the same there."""
        known = self.defined.get(value.name)
        if known is None:
            self.found.add("I101", f"{what} reads '{value.name}', which nothing above gives", span)
        elif known != value:
            self.found.add(
                "I105", f"{what} reads '{value.name}' as {value.type}, but it is {known.type}", span
            )

    def results(self, values: Sequence[Value], what: str) -> None:
        """What leaves the region: it exists, and is never absent."""
        for value in values:
            self.use(value, what)
            if value.name in self.absent:
                self.found.add("I115", f"{what} '{value.name}' may be absent", hint=_instead_of(value))

    def node(self, node: Node) -> None:
        if isinstance(node, Apply):
            self.apply(node)
        elif isinstance(node, Call):
            self.call(node)
        else:
            self.repeat(node)
        for value in node.outputs:
            self.define(value, "value", node.span)

    def apply(self, node: Apply) -> None:
        op, span = node.op, node.span
        for position, value in enumerate(node.inputs):
            if value is not None:
                self.use(value, op.name, span)
                may_be_absent = _may_be_absent(op, position)
                if value.name in self.absent and not may_be_absent:
                    problem = f"{op.name} needs '{value.name}', which may be absent"
                    self.found.add("I115", problem, span, _instead_of(value))
        for number in numbers(op):
            check_number(self.found, f"a number of {op.name}", number, self.scope, span)
        self.infer(node)
        if isinstance(op, Stateful):
            self.states.use(op, tuple(v.type for v in node.inputs if v is not None), span)

    def infer(self, node: Apply) -> None:
        given = [None if value is None else value.type for value in node.inputs]
        try:
            types = result_types(node.op, given)
        except ShapeError as error:
            self.found.add("I103", f"{node.op.name}: {error.code} {error.message}", node.span)
            return
        recorded = tuple(value.type for value in node.outputs)
        if types != recorded:
            problem = f"{node.op.name} gives {shown(types)}, but {shown(recorded)} is recorded"
            self.found.add("I104", problem, node.span)

    def call(self, node: Call) -> None:
        region = node.region
        taken, given = types_along(node, self.found)
        self.feed(node.inputs, region, region.name, node.span, taken)
        self.gives(node.outputs, region, region.name, node.span, given)
        if node.shared:
            self.shared(node)
        else:
            self.called.setdefault(region.name, region)
        self.inside(region, region.name, node.span)

    def shared(self, node: Call) -> None:
        """I121: a shared call names a region called before, with the same parameters."""
        name, before = node.region.name, self.called.get(node.region.name)
        if before is None:
            self.found.add("I121", f"'{name}' is shared, but was not called before", node.span)
        elif before.params != node.region.params:
            self.found.add("I121", f"'{name}' is shared, but has other parameters than before", node.span)

    def inside(self, region: Region, name: str, span: Span | None, rows: str | None = None) -> None:
        check_identifiers(self.found, "module", [region.name], span)
        check_identifiers(self.found, "component", [region.component], span)
        RegionCheck(region, self.scope.seeing(rows), self.found.below(name), present=set()).run()

    def feed(
        self,
        given: Sequence[Value],
        region: Region,
        name: str,
        span: Span | None,
        types: Sequence[TensorType] | None = None,
    ) -> None:
        """I106, I107, I115: the inputs of a region are what it is given; `types`: as what, in there."""
        if len(given) != len(region.inputs):
            self.found.add("I106", f"'{name}' takes {len(region.inputs)} inputs, but gets {len(given)}", span)
        types = [value.type for value in given] if types is None else types
        for value, type_, wanted in zip(given, types, region.inputs, strict=False):
            self.use(value, f"'{name}'", span)
            if type_ != wanted.type:
                self.found.add("I107", f"'{name}' takes '{wanted.name}' as {wanted.type}, not {type_}", span)
            if value.name in self.absent and not wanted.optional:
                problem = f"'{name}' needs '{wanted.name}', but '{value.name}' may be absent"
                self.found.add("I115", problem, span, _instead_of(value))

    def gives(
        self,
        results: Sequence[Value],
        region: Region,
        name: str,
        span: Span | None,
        types: Sequence[TensorType] | None = None,
    ) -> None:
        """I106, I108: the results of a call are what the region returns; `types`: as what, in there."""
        if len(results) != len(region.outputs):
            self.found.add("I106", f"'{name}' gives {len(region.outputs)} results, not {len(results)}", span)
        types = [value.type for value in results] if types is None else types
        for recorded, given in zip(types, region.outputs, strict=False):
            if recorded != given.type:
                self.found.add("I108", f"'{name}' gives {given.type}, but {recorded} is recorded", span)

    def repeat(self, node: Repeat) -> None:
        check_identifiers(self.found, "module", [node.name], node.span)
        check_number(self.found, f"the count of '{node.name}'", node.count, self.scope, node.span)
        taken = inside_types(node, self.found)
        rows = node.rows if taken else None
        given = [as_rows(value.type, rows) for value in node.outputs] if rows else None
        for index, variant in enumerate(node.variants):
            self.feed(node.inputs, variant, node.name, node.span, taken)
            self.gives(node.outputs, variant, node.name, node.span, given)
            place = f"{node.name}.*{index if len(node.variants) > 1 else ''}"
            self.inside(variant, place, node.span, node.rows)
        if node.rows is None:
            self.carries(node)
        self.schedule(node)

    def carries(self, node: Repeat) -> None:
        """I109: what a layer gives is what the next one takes."""
        carried = tuple(v.type for v in node.inputs[: len(node.outputs)])
        recorded = tuple(v.type for v in node.outputs)
        if carried != recorded:
            problem = (
                f"'{node.name}' carries {shown(carried)} from layer to layer, but gives {shown(recorded)}"
            )
            self.found.add("I109", problem, node.span)

    def schedule(self, node: Repeat) -> None:
        """I110: one variant for each layer, and no variant without a layer."""
        if not node.count.static or node.count.real != len(node.schedule):
            problem = (
                f"'{node.name}' has {len(node.schedule)} layers in its schedule, not {node.count.described()}"
            )
            self.found.add("I110", problem, node.span)
        if set(node.schedule) != set(range(len(node.variants))):
            problem = f"the schedule of '{node.name}' does not run each of its {len(node.variants)} variants"
            self.found.add("I110", problem, node.span)


def _instead_of(value: Value) -> str:
    return f"'otherwise({value.name}, y)' is y where '{value.name}' is absent"


def _may_be_absent(op: Op, position: int) -> bool:
    """Whether an operation can do without an operand at run time."""
    if isinstance(op, Attention):
        word = op.operands[position - _MASK : position - _MASK + 1]
        return position >= _MASK and not set(word) & set(op.scored)
    return isinstance(op, Otherwise) and position == 0
