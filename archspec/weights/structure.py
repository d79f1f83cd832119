"""Rules that join tensors or take them apart, made into claims on concrete names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct

from archspec.weights.arrays import TensorSpec, written
from archspec.weights.ops import Concatenate, Op, Reversed, Stack
from archspec.weights.pattern import MalformedPattern, Match, Pattern, join, sibling
from archspec.weights.rearrange import Misfit, chunk_sizes, rows_along
from archspec.weights.rules import FuseRule, SplitRule, WeightRules


class Claim(Struct, frozen=True):
    """`op` turns the tensors `inputs` into the tensors `outputs`, on the way to the hub."""

    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


Specs = Mapping[str, TensorSpec]


class Stacking(Struct, frozen=True):
    """`experts.*.w` to `experts.w`, with a new first axis."""

    many: Pattern
    one: Pattern

    @property
    def reads(self) -> Pattern:
        """The pattern that must name a tensor."""
        return self.many

    @classmethod
    def parse(cls, many: str, one: str) -> Stacking:
        """Raises MalformedPattern."""
        stacking = cls(Pattern.parse(many), Pattern.parse(one))
        if stacking.many.stars != 1 or stacking.one.stars or not stacking.one.text:
            raise MalformedPattern(f"'{many}' must have one `*`, and '{one}' none")
        return stacking

    def claims(self, specs: Specs) -> list[Claim]:
        """Raises Misfit unless the indices of each stack are 0, 1, 2 …"""
        stacks: dict[str, dict[int, str]] = {}
        for name in specs:
            if found := self.many.inside(name):
                target = join(found.head, self.one.text, found.tail)
                stacks.setdefault(target, {})[int(found.indices[0])] = name
        return [self._claim(target, stack, specs) for target, stack in stacks.items()]

    def _claim(self, target: str, stack: dict[int, str], specs: Specs) -> Claim:
        names = [stack[index] for index in sorted(stack)]
        if sorted(stack) != list(range(len(stack))):
            raise Misfit(f"'{target}' needs every index from 0 to {max(stack)}, but has {sorted(stack)}")
        _agree(target, [specs[name] for name in names])
        return Claim(Stack(len(names)), tuple(names), (target,))


class Unstacking(Struct, frozen=True):
    """`experts.w` to `experts.*.w`, one for each index of the first axis."""

    stacking: Stacking

    @property
    def reads(self) -> Pattern:
        """The pattern that must name a tensor."""
        return self.stacking.one

    @classmethod
    def parse(cls, one: str, many: str) -> Unstacking:
        """Raises MalformedPattern."""
        return cls(Stacking.parse(many, one))

    def claims(self, specs: Specs) -> list[Claim]:
        """Raises Misfit where a tensor has no first axis."""
        matches = {name: self.stacking.one.inside(name) for name in specs}
        return [
            self._claim(name, found, rows_along(0, specs[name].shape))
            for name, found in matches.items()
            if found
        ]

    def _claim(self, name: str, found: Match, count: int) -> Claim:
        if not count:
            raise Misfit(f"'{name}' has an empty first axis")
        parts = (self.stacking.many.fill([str(index)]) for index in range(count))
        names = tuple(join(found.head, part, found.tail) for part in parts)
        return Claim(Reversed(Stack(count)), (name,), names)


class Fusing(Struct, frozen=True):
    """The siblings `parts`, in order, become `whole`."""

    whole: Pattern
    parts: tuple[Pattern, ...]
    axis: int

    @property
    def reads(self) -> Pattern:
        """The pattern that must name a tensor."""
        return self.parts[0]

    @classmethod
    def parse(cls, key: str, rule: FuseRule) -> Fusing:
        """Raises MalformedPattern."""
        whole = Pattern.parse(key)
        return cls(whole, tuple(sibling(whole, part) for part in rule.parts), rule.axis)

    def claims(self, specs: Specs) -> list[Claim]:
        """Raises Misfit where a part is missing or the shapes do not join."""
        wholes: dict[str, dict[int, str]] = {}
        for name in specs:
            for place, part in enumerate(self.parts):
                if found := part.inside(name):
                    target = join(found.head, self.whole.fill(found.indices), found.tail)
                    wholes.setdefault(target, {})[place] = name
        return [self._claim(target, parts, specs) for target, parts in wholes.items()]

    def _claim(self, target: str, parts: dict[int, str], specs: Specs) -> Claim:
        lacking = [part.text for place, part in enumerate(self.parts) if place not in parts]
        if lacking:
            raise Misfit(f"'{target}' lacks its part {' and '.join(lacking)}")
        names = tuple(parts[place] for place in range(len(self.parts)))
        if len(set(names)) < len(names):
            raise Misfit(f"'{target}' would take '{names[0]}' more than once")
        _agree(target, [specs[name] for name in names], self.axis)
        sizes = tuple(specs[name].shape[self.axis] for name in names)
        return Claim(Concatenate(self.axis, sizes), names, (target,))


class Splitting(Struct, frozen=True):
    """`whole` becomes the siblings `parts`, in order."""

    whole: Pattern
    parts: tuple[Pattern, ...]
    rule: SplitRule

    @property
    def reads(self) -> Pattern:
        """The pattern that must name a tensor."""
        return self.whole

    @classmethod
    def parse(cls, key: str, rule: SplitRule) -> Splitting:
        """Raises MalformedPattern."""
        whole = Pattern.parse(key)
        return cls(whole, tuple(sibling(whole, part) for part in rule.into), rule)

    def claims(self, specs: Specs) -> list[Claim]:
        """Raises Misfit where the parts do not fill the tensor."""
        return [claim for name, spec in specs.items() if (claim := self._claim(name, spec))]

    def _claim(self, name: str, spec: TensorSpec) -> Claim | None:
        found = self.whole.inside(name)
        if found is None:
            return None
        rows = rows_along(self.rule.axis, spec.shape)
        sizes = chunk_sizes(rows, len(self.parts), self.rule.sizes)
        names = tuple(join(found.head, part.fill(found.indices), found.tail) for part in self.parts)
        return Claim(Reversed(Concatenate(self.rule.axis, sizes)), (name,), names)


Structure = Stacking | Fusing | Splitting | Unstacking


def structures(rules: WeightRules) -> Iterator[tuple[str, str, Callable[[], Structure]]]:
    """(kind, key, parser) of every rule, in the order of use. A parser raises MalformedPattern."""
    for key, one in rules.stack.items():
        yield "stack", key, partial(Stacking.parse, key, one)
    for key, rule in rules.fuse.items():
        yield "fuse", key, partial(Fusing.parse, key, rule)
    for key, cut in rules.split.items():
        yield "split", key, partial(Splitting.parse, key, cut)
    for key, many in rules.unstack.items():
        yield "unstack", key, partial(Unstacking.parse, key, many)


def _agree(target: str, specs: Sequence[TensorSpec], axis: int | None = None) -> None:
    """Raises Misfit unless the tensors are alike in all but the length of `axis`."""
    first = specs[0]
    if axis is not None:
        rows_along(axis, first.shape)
    frames = {(spec.dtype, _without(spec.shape, axis)) for spec in specs}
    if len(frames) > 1:
        raise Misfit(f"the parts of '{target}' do not join: {_listed(specs)}")


def _without(shape: tuple[int, ...], axis: int | None) -> tuple[int | None, ...]:
    return tuple(None if place == axis else size for place, size in enumerate(shape))


def _listed(specs: Iterable[TensorSpec]) -> str:
    return ", ".join(f"{spec.dtype} {written(spec.shape)}" for spec in specs)
