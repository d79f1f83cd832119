"""The whole document to a graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.errors import Collector, Diagnostic, LoweringError, Span, did_you_mean
from archspec.ir.builder import Builder, Handle
from archspec.ir.graph import Graph
from archspec.lowering import closing
from archspec.lowering.faults import FAULTS, Broken, diagnose, text_span
from archspec.lowering.frame import Frame
from archspec.lowering.passes import PASSES
from archspec.lowering.settings import Settings
from archspec.lowering.signature import declared_type
from archspec.lowering.steps import lower_step
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.spec import BlockDef, Spec
from archspec.spec.read_steps import Reader
from archspec.spec.tree import Body

MAX_NODES = 200_000
MAX_NESTING = 32


def lower(spec: Spec) -> Graph:
    """The graph that a spec means, verified by its passes.

    Raises `SpecError` or `LoweringError` with all findings, each at its place.
    """
    return Lowering(spec).run()


class Lowering:
    """What all frames of one document share."""

    def __init__(self, spec: Spec) -> None:
        self.spec, self.found = spec, Collector()
        self.settings = Settings(spec, self.found)
        self.dims: dict[str, None] = {}
        self.stream: str | None = None
        self.open_blocks: list[str] = []
        self.steps_taken = 0

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
        graph = closing.close(self, frame, inputs)
        self.found.raise_if_any(LoweringError)
        assert graph is not None
        for step in PASSES:
            graph = step(graph)
        return graph

    def inputs(self, frame: Frame) -> dict[str, tuple[Handle, Node | None]]:
        """The graph's inputs, each with the node of its default."""
        out: dict[str, tuple[Handle, Node | None]] = {}
        for key, node in self.spec.section("inputs").entries:
            name = str(key.value)
            text = node.get("type") if isinstance(node, Mapping) else node
            if not isinstance(text, Scalar) or not self.exists(frame, node):
                continue
            try:
                type_ = declared_type(str(text.value), frame.values, self.dims)
            except FAULTS as fault:
                at = text_span(text, getattr(fault, "at", 0), getattr(fault, "end", 10**6))
                self.found.extend(LoweringError(diagnose(fault, at)))
                frame.tensors[name] = None
                continue
            flag, default = (
                (node.get("optional"), node.get("default")) if isinstance(node, Mapping) else (None, None)
            )
            optional = isinstance(flag, Scalar) and flag.value is True
            handle = frame.builder.input(name, type_, optional and default is None)
            out[name], frame.tensors[name] = (handle, default), handle
        return out

    def exists(self, frame: Frame, node: Node) -> bool:
        when = node.get("when") if isinstance(node, Mapping) else None
        return not isinstance(when, Scalar) or self.holds(frame, when)

    def holds(self, frame: Frame, when: Scalar) -> bool:
        """A condition outside of steps."""
        from archspec.lowering.reading import (
            value_of,
        )  # lazy: reading needs the frame's type, which needs this module

        try:
            value = value_of(frame, when)
            if not isinstance(value, bool):
                raise Problem("S003", "'when' is not true or false")
            return value
        except FAULTS as fault:
            self.found.extend(LoweringError(diagnose(fault, when.span)))
            return False

    def streamed(self) -> str | None:
        node = self.spec.node.get("stream")
        if not isinstance(node, Scalar) or node.value is None:
            return None
        if node.value not in self.dims:
            self.found.add(
                "L008",
                f"no input has a size '{node.value}' to stream",
                node.span,
                did_you_mean(str(node.value), self.dims),
            )
            return None
        return str(node.value)

    def body(self, frame: Frame, body: Body) -> None:
        for step in body:
            self.steps_taken += 1
            if self.steps_taken > MAX_NODES:
                raise LoweringError(
                    Diagnostic("L032", f"the spec expands to more than {MAX_NODES} steps", step.common.span)
                )
            lower_step(frame, step)

    def result(self, frame: Frame) -> tuple[Handle, ...]:
        if frame.x is None:
            raise Broken
        return (frame.x,)

    @contextmanager
    def inside(self, block: BlockDef, span: Span) -> Iterator[None]:
        """Guards against blocks that contain themselves."""
        if block.name in self.open_blocks or len(self.open_blocks) >= MAX_NESTING:
            chain = " -> ".join([*self.open_blocks, block.name])
            raise LoweringError(Diagnostic("L007", f"blocks contain each other: {chain}", span))
        self.open_blocks.append(block.name)
        try:
            yield
        finally:
            self.open_blocks.pop()

    def close(
        self, frame: Frame, child: Builder, outputs: tuple[Handle, ...], label: str
    ) -> tuple[Handle, ...]:
        """End a region; what was pushed in it and is still on a stack comes out with its results."""
        pushed = [
            (stack, i) for stack in frame.stacks.values() for i, h in enumerate(stack) if h.owner is child
        ]
        results = frame.builder.finish(child, [*outputs, *(stack[i] for stack, i in pushed)], label=label)
        for (stack, i), handle in zip(pushed, results[len(outputs) :], strict=True):
            stack[i] = handle
        return results[: len(outputs)]

    def side(self, frame: Frame, node: Node) -> Handle:
        """A `{branch: [steps]}` standing where a tensor is asked for."""
        body = Reader(self.found).body(node)
        before, fresh = frame.x, frame.fresh
        self.body(frame, body)
        out = frame.x
        frame.x, frame.fresh = before, fresh
        if out is None:
            raise Broken
        return out

    def push(self, frame: Frame, stack: Scalar, value: Handle) -> None:
        frame.stacks.setdefault(str(stack.value), []).append(value)

    def pop(self, frame: Frame, stack: Scalar) -> Handle:
        values = frame.stacks.get(str(stack.value))
        if not values:
            hint = did_you_mean(str(stack.value), frame.stacks) or "push as often as you pop"
            raise LoweringError(
                Diagnostic("L040", f"nothing is left on the stack '{stack.value}'", stack.span, hint)
            )
        return values.pop()

    def check_stacks(self, frame: Frame) -> None:
        for name, values in frame.stacks.items():
            if values and not self.found.diagnostics:
                where = self.spec.node.key("model")
                self.found.add(
                    "L041",
                    f"{len(values)} values are left on the stack '{name}'",
                    where.span if where else None,
                    "pop as often as you push",
                )
