"""Rules of state: what is kept between steps is declared, fits, and is kept by one operation.

What is recalled has two: one recalls it, one keeps it for the next step.
"""

from __future__ import annotations

from archspec.errors import Span
from archspec.ir.graph import State
from archspec.ir.ops.state import Append, Keep, Recall, Stateful
from archspec.ir.scope import Scope
from archspec.ir.types import TensorType
from archspec.ir.verify_names import Findings, check_distinct, check_identifiers, check_type, shown


class StateCheck:
    """I114, for the states of one region."""

    def __init__(self, states: tuple[State, ...], found: Findings) -> None:
        self.states = {state.name: state for state in states}
        self.found = found
        self.uses: list[Stateful] = []
        check_distinct(found, "state", [state.name for state in states])

    def declare(self, state: State, scope: Scope) -> None:
        check_identifiers(self.found, "state", [state.name])
        for type_ in state.types:
            check_type(self.found, f"state '{state.name}'", type_, scope)

    def use(self, op: Stateful, given: tuple[TensorType, ...], span: Span | None) -> None:
        """The state exists, and holds what the operation gives it."""
        self.uses.append(op)
        state = self.states.get(op.state)
        if state is None:
            self.found.add("I114", f"there is no state '{op.state}'", span)
        elif not _fits(state, op, given):
            problem = f"{state.kind}s {shown(state.types)}, but {op.name} gives {shown(given)}"
            self.found.add("I114", f"state '{state.name}' {problem}", span)

    def check_uses(self) -> None:
        for name, state in self.states.items():
            uses = [op for op in self.uses if op.state == name]
            if state.kind == Recall.kind:
                self._check_pair(name, uses)
            elif len(uses) != 1:
                self.found.add("I114", f"state '{name}' is used {len(uses)} times, not once")

    def _check_pair(self, name: str, uses: list[Stateful]) -> None:
        recalled, kept = (sum(isinstance(op, kind) for op in uses) for kind in (Recall, Keep))
        if (recalled, kept) != (1, 1):
            problem = f"is recalled {recalled} times and kept {kept} times, not once each"
            self.found.add("I114", f"state '{name}' {problem}")


def _fits(state: State, op: Stateful, given: tuple[TensorType, ...]) -> bool:
    if state.kind != op.kind or len(state.types) != len(given):
        return False
    if isinstance(op, Append):
        return op.axis == state.axis and all(map(_grows, state.types, given, [op.axis] * len(given)))
    return state.types == given


def _grows(kept: TensorType, given: TensorType, axis: int) -> bool:
    """Whether two types agree, apart from their sizes along `axis`."""
    if kept.rank != given.rank or not -kept.rank <= axis < kept.rank:
        return False
    sizes = enumerate(zip(kept.shape, given.shape, strict=True))
    return kept.dtype == given.dtype and all(a == b for i, (a, b) in sizes if i != axis % kept.rank)
