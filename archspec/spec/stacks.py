"""Which stacks steps push on and pop from: what they take and give beside the value that flows."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.tree import Body, Push, Step


def moved_by(body: Body) -> set[str]:
    """The stacks that a body pushes on or pops from."""
    return {stack for step in body for stack in stacks_of(step)}


def stacks_of(step: Step) -> set[str]:
    """The stacks that a step, or one inside it, pushes on or pops from."""
    own = {str(step.stack.value)} if isinstance(step, Push) else set(popped(getattr(step, "args", None)))
    return own.union(*map(moved_by, bodies(step)))


def popped(node: Node | None) -> Iterator[str]:
    """The stacks that arguments pop from."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from popped(item)
    elif isinstance(node, Mapping):
        for key, value in node.entries:
            if key.value == "pop" and isinstance(value, Scalar):
                yield str(value.value)
            yield from popped(value)


def bodies(step: Step) -> tuple[Body, ...]:
    found = [getattr(step, key, None) for key in ("body", "shortcut")]
    return tuple(body for body in (*found, *getattr(step, "branches", ())) if body)
