"""The workbench on which recipes are composed: tensors by their present names, on the way to the hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from archspec.weights.arrays import TensorSpec
from archspec.weights.ops import Op
from archspec.weights.recipe import Recipe, Step


class Collision(ValueError):
    """Two tensors would have one name, or two rules take one tensor. The message says which."""


@dataclass(slots=True)
class _Draft:
    """A recipe that is being written."""

    ours: list[str] = field(default_factory=list[str])
    entry: list[str] = field(default_factory=list[str])
    times: list[int] = field(default_factory=list[int])
    live: dict[str, None] = field(default_factory=dict[str, None])

    def absorb(self, other: _Draft) -> None:
        self.ours += other.ours
        self.entry += other.entry
        self.times += other.times
        self.live |= other.live
        other.live = {}


@dataclass(slots=True)
class Bench:
    """Tensors that are on their way; each belongs to the draft of one recipe."""

    _specs: dict[str, TensorSpec] = field(default_factory=dict[str, TensorSpec])
    _drafts: dict[str, _Draft] = field(default_factory=dict[str, _Draft])
    _passed: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    _entered: list[_Draft] = field(default_factory=list[_Draft])
    # Names may be reused once they are free, so the steps of all drafts share one order in time.
    _steps: list[Step] = field(default_factory=list[Step])

    @property
    def specs(self) -> Mapping[str, TensorSpec]:
        """The tensors that are there now."""
        return self._specs

    def enter(self, ours: str, name: str, spec: TensorSpec) -> None:
        """Puts one of our tensors on the bench. Raises Collision."""
        if name in self._specs:
            raise Collision(f"'{ours}' and '{self._drafts[name].ours[0]}' would both be '{name}'")
        draft = _Draft([ours], [name], [], {name: None})
        self._entered.append(draft)
        self._specs[name], self._drafts[name], self._passed[name] = spec, draft, frozenset()

    def rearrange(self, kind: str, name: str, op: Op) -> None:
        """Applies `op` to one tensor in place. Raises Collision where a rule of this kind already did."""
        if kind in self._passed[name]:
            raise Collision(f"'{name}' is named by more than one `{kind}` rule on its way to the hub")
        spec = self._specs[name]
        self._passed[name] |= {kind}
        self._specs[name] = TensorSpec(op.hub_shapes([spec.shape])[0], spec.dtype)
        self._record(self._drafts[name], Step(op, (name,), (name,)))

    def exchange(self, op: Op, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        """Takes `inputs` from the bench and puts `outputs` there. Raises Collision."""
        gone = next((name for name in inputs if name not in self._specs), None)
        if gone is not None:
            raise Collision(f"'{gone}' is taken more than once")
        counts = Counter(
            (*outputs, *(name for name in outputs if name in self._specs and name not in inputs))
        )
        taken = next((name for name, count in counts.items() if count > 1), None)
        if taken is not None:
            raise Collision(f"'{inputs[0]}' would become '{taken}', but that name is taken")
        self._exchange(op, inputs, outputs)

    def _exchange(self, op: Op, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        shapes = op.hub_shapes([self._specs[name].shape for name in inputs])
        specs = [TensorSpec(shape, self._specs[inputs[0]].dtype) for shape in shapes]
        passed = frozenset[str]().union(*(self._passed[name] for name in inputs))
        draft = self._merged(inputs)
        for name in inputs:
            del self._specs[name], self._drafts[name], self._passed[name], draft.live[name]
        for name, spec in zip(outputs, specs, strict=True):
            self._specs[name], self._drafts[name], self._passed[name] = spec, draft, passed
            draft.live[name] = None
        self._record(draft, Step(op, inputs, outputs))

    def _record(self, draft: _Draft, step: Step) -> None:
        draft.times.append(len(self._steps))
        self._steps.append(step)

    def _merged(self, names: tuple[str, ...]) -> _Draft:
        first = self._drafts[names[0]]
        for name in names[1:]:
            other = self._drafts[name]
            if other is not first:
                self._drafts.update(dict.fromkeys(other.live, first))
                first.absorb(other)
        return first

    def recipes(self) -> list[Recipe]:
        """The finished recipes, in the order in which their first tensors entered."""
        return [self._finished(draft) for draft in self._entered if draft.live]

    def _finished(self, draft: _Draft) -> Recipe:
        steps = (self._steps[time] for time in sorted(draft.times))
        return Recipe(
            tuple(draft.ours), tuple(draft.entry), tuple(steps), tuple(draft.live), tuple(draft.live)
        )
