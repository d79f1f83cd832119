"""The whole document to a graph."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims.evaluate import describe
from archspec.dims.num import Num
from archspec.errors import ArchspecError, Collector, Diagnostic, LoweringError, Span, did_you_mean
from archspec.ir.builder import Builder, Handle
from archspec.ir.graph import Graph
from archspec.lowering import closing, graphs, running, streaming, unused
from archspec.lowering.faults import Broken, located
from archspec.lowering.frame import Frame, Pushed
from archspec.lowering.passes import PASSES
from archspec.lowering.settings import Settings
from archspec.lowering.signature import declared_type
from archspec.lowering.steps import lower_step
from archspec.lowering.values import value_of
from archspec.lowering.words import parameters_in
from archspec.spec.limits import stop_if_many
from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.read_steps import Reader
from archspec.spec.spec import BlockDef, Spec
from archspec.spec.tree import Body

MAX_STEPS = 2_000
MAX_NESTING = 40


def lower(spec: Spec, found: Collector | None = None) -> Graph:
    """The graph that a spec means, verified by its passes.

    Raises `SpecError` or `LoweringError` with all findings, each at its place; with those already in `found`,
    where `read_spec` left its own.
    """
    return Lowering(spec, found).run()


def running_of(spec: Spec) -> running.Running:
    """What the spec says of running it. Raises what `lower` raises."""
    return lower_to_run(spec)[1]


def lower_to_run(spec: Spec) -> tuple[Graph, running.Running]:
    """The graph, and what the spec says of running it. Raises what `lower` raises."""
    low = Lowering(spec)
    return low.run(), low.running


class Lowering:
    """What all frames of one document share.

    `whole`: every section that gives names could be read; if not, an unknown name is no finding.
    `absent` are the inputs and steps that a condition leaves out, with that condition; `broken` the paths of
    steps that failed, `unsure` the stacks they would have moved.
    """

    def __init__(self, spec: Spec, found: Collector | None = None) -> None:
        self.spec, self.found = spec, found or Collector()
        self.settings = Settings(spec, self.found)
        self.whole = self.settings.readable and _is_whole(spec)
        self.dims: dict[str, None] = {}
        self.stream: str | None = None
        self.open_blocks: list[str] = []
        self.used_blocks: set[str] = set()
        self.absent: dict[str, str] = {}
        self.broken: set[tuple[str, ...]] = set()
        self.unsure: set[str] = set()
        self.steps_taken = self.depth = 0
        self.running = running.Running()

    def run(self) -> Graph:
        root = Builder("", self.spec.name)
        root.bindings = {
            name: n.num(v.value) for name, v in self.settings.values.items() if isinstance(v, Num)
        }
        frame = Frame(self, root, dict(self.settings.values), {}, {})
        inputs = self.inputs(frame)
        self.stream = self.streamed()
        self.body(frame, self.spec.model)
        self.check_stacks(frame)
        graphs.check(self)
        graph = closing.close(self, frame, inputs)
        handles = {name: handle for name, (handle, _) in inputs.items()}
        self.running = running.read(self, frame, handles, graph)
        unused.check(self, frame)
        self.found.raise_if_any(LoweringError)
        assert graph is not None
        for step in PASSES:
            graph = step(graph)
        streaming.check(graph, self.found)
        self.found.raise_if_any(LoweringError)
        return graph if self.spec.graph is None else graphs.part(self.spec, graph, self.spec.graph)

    def report(self, error: ArchspecError) -> None:
        """Keeps the findings that were not made at the same place before: a block may run often."""
        seen = {(found.code, found.message, found.span) for found in self.found.diagnostics}
        for found in error.diagnostics:
            if (found.code, found.message, found.span) not in seen:
                self.found.add(found.code, found.message, found.span, found.hint)

    def inputs(self, frame: Frame) -> closing.Inputs:
        """The graph's inputs, each with the node of its default."""
        out: closing.Inputs = {}
        for key, node in self.spec.section("inputs").entries:
            stop_if_many(self.found)
            name = str(key.value)
            there = frame.attempt(node.span, lambda node=node: self.exists(frame, node))
            if there is False:
                self.absent[name] = condition(node)
                continue
            handle = frame.attempt(node.span, lambda name=name, node=node: self.input(frame, name, node))
            default = node.get("default") if isinstance(node, Mapping) else None
            out[name] = (handle if there else None, default)
            frame.tensors[name] = out[name][0]
        return out

    def input(self, frame: Frame, name: str, node: Node) -> Handle:
        """Raises `LoweringError`, `Broken`."""
        text = node.get("type") if isinstance(node, Mapping) else node
        if not isinstance(text, Scalar) or not isinstance(text.value, str):
            raise Broken
        with located(text):
            type_ = declared_type(text.value, frame, self.dims)
        flag = node.get("optional") if isinstance(node, Mapping) else None
        default = node.get("default") if isinstance(node, Mapping) else None
        optional = isinstance(flag, Scalar) and flag.value is True
        return frame.builder.input(name, type_, optional and default is None)

    def exists(self, frame: Frame, node: Node) -> bool:
        """Whether a part with a condition is there.

        Raises `LoweringError`, `Broken`.
        """
        when = node.get("when") if isinstance(node, Mapping) else None
        return not isinstance(when, Scalar) or self.holds(frame, when)

    def holds(self, frame: Frame, when: Scalar) -> bool:
        """A condition's value.

        Raises `LoweringError`, `Broken`.
        """
        with located(when):
            value = value_of(frame, when)
            if not isinstance(value, bool):
                message = f"'when' is true or false, not {describe(value)}"
                raise Problem("S003", message, hint="compare it, as in 'n != 0'")
        return value

    def streamed(self) -> str | None:
        node = self.spec.node.get("stream")
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return None
        if node.value not in self.dims:
            hint = did_you_mean(node.value, self.dims) or f"sizes of inputs: {', '.join(self.dims)}"
            self.found.add("L008", f"no input has a size '{node.value}' to stream", node.span, hint)
            return None
        return node.value

    def body(self, frame: Frame, body: Body) -> None:
        self.depth += 1
        frame.builder.reserve(parameters_in(body))
        try:
            for step in body:
                self.steps_taken += 1
                self.check_limits(step.common.span)
                lower_step(frame, step)
                stop_if_many(self.found)
        finally:
            self.depth -= 1

    def check_limits(self, span: Span) -> None:
        """Raises `SpecError` at once: what follows would take too long, or nest too deep."""
        if self.depth > MAX_NESTING:
            message, hint = f"bodies nest more than {MAX_NESTING} deep", "flatten some of them"
        elif self.steps_taken > MAX_STEPS:
            message = f"the spec expands to more than {MAX_STEPS:,} steps"
            hint = "repeat layers that are alike: they are expanded once"
        else:
            return
        self.found.add("L032", message, span, hint)
        self.found.raise_if_any()

    def result(self, frame: Frame) -> tuple[Handle, ...]:
        if frame.x is None:
            raise Broken
        return (frame.x,)

    @contextmanager
    def inside(self, block: BlockDef, span: Span) -> Generator[None]:
        """Guards against blocks that contain themselves."""
        self.used_blocks.add(block.name)
        if block.name in self.open_blocks:
            chain = " -> ".join([*self.open_blocks[self.open_blocks.index(block.name) :], block.name])
            message, hint = f"blocks contain each other: {chain}", "'repeat' runs a block several times"
            raise LoweringError(Diagnostic("L007", message, span, hint))
        self.open_blocks.append(block.name)
        try:
            yield
        finally:
            self.open_blocks.pop()

    def close(
        self, frame: Frame, child: Builder, outputs: tuple[Handle, ...], label: str
    ) -> tuple[Handle, ...]:
        """End a region; what was pushed in it and is still on a stack comes out with its results."""
        left = [(name, item) for name, stack in frame.stacks.items() for item in stack]
        pushed = [(n, i, i.value) for n, i in left if i.value is not None and i.value.owner is child]
        given = dict.fromkeys([*outputs, *(value for _, _, value in pushed)])
        labels = {value: name for name, _, value in pushed} | dict.fromkeys(outputs, label)
        results = frame.builder.finish(child, list(given), label=[labels[value] for value in given])
        outer = dict(zip(given, results, strict=True))
        for _, item, value in pushed:
            item.value = outer[value]
        return tuple(outer[value] for value in outputs)

    def side(self, frame: Frame, node: Node) -> Handle:
        """A `{branch: [steps]}` standing where a tensor is asked for."""
        body = Reader(self.found).body(node)
        before, fresh = frame.x, frame.fresh
        self.body(frame, body)
        out = frame.x
        frame.x, frame.fresh = before, fresh
        if out is None or not body:
            raise Broken
        return out

    def push(self, frame: Frame, stack: Scalar, item: Pushed) -> None:
        frame.stacks.setdefault(str(stack.value), []).append(item)

    def pop(self, frame: Frame, stack: Scalar) -> Handle:
        values = frame.stacks.get(str(stack.value))
        if values:
            top = values.pop().value
            if top is None:
                raise Broken
            return top
        if str(stack.value) in self.unsure:
            raise Broken
        known = [name for name, items in frame.stacks.items() if items]
        hint = did_you_mean(str(stack.value), known) or "push as often as you pop"
        raise LoweringError(
            Diagnostic("L040", f"nothing is left on the stack '{stack.value}'", stack.span, hint)
        )

    def check_stacks(self, frame: Frame) -> None:
        """Reports what was pushed and never popped, unless a step that failed might have popped it."""
        for name, items in frame.stacks.items():
            for span in dict.fromkeys(item.span for item in items if name not in self.unsure):
                count = sum(item.span == span for item in items)
                shown = "the value" if count == 1 else f"{count} values"
                message = (
                    f"{shown} pushed here on the stack '{name}' {'is' if count == 1 else 'are'} never popped"
                )
                self.found.add("L041", message, span, f"take it off with '{{pop: {name}}}'")


def _is_whole(spec: Spec) -> bool:
    kinds = {"inputs": Mapping, "outputs": Mapping, "model": Sequence}
    parts = [spec.node.get(key) for key in kinds]
    return all(map(isinstance, parts, kinds.values())) and bool(spec.section("outputs").entries)


def condition(node: Node) -> str:
    """The condition of a part, as it is written."""
    when = node.get("when") if isinstance(node, Mapping) else None
    return when.text if isinstance(when, Scalar) else ""
