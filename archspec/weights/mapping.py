"""The weight map: one bijection between a model's tensors and those of a published checkpoint.

It is made from names and shapes alone, without torch and without weights, and is correct by
construction: every one of our tensors is in exactly one recipe, so is every hub tensor, and each step of
a recipe is reversible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from archspec.errors import Span, did_you_mean
from archspec.weights.arrays import Array, ArrayModule, Reader, Shape, TensorSpec
from archspec.weights.compose import Composer, Findings, parse_pairs
from archspec.weights.pattern import MalformedPattern, Pattern, Substitution, join
from archspec.weights.recipe import Recipe
from archspec.weights.rules import WeightRules

_NO_SPANS: Mapping[str, Span] = MappingProxyType({})


class Spellings(Struct, frozen=True):
    """How the names in a file may differ from those we write."""

    ignore: tuple[Pattern, ...]
    accept: Substitution
    base_prefix: str

    def of(self, stored: str) -> Iterator[str]:
        """The hub names that `stored` may stand for, the likeliest first."""
        present, _ = self.accept.apply(stored)
        yield from (stored, present, join(self.base_prefix, stored), join(self.base_prefix, present))

    def ignores(self, stored: str) -> bool:
        """Whether the model has no use for the tensor."""
        return any(pattern.inside(stored) for pattern in self.ignore)


class WeightMap(Struct, frozen=True):
    """The map of one model and one checkpoint format.

    `recipes` are the bijection. `copies` are recipes of hub tensors that only repeat a tied tensor: files may
    hold them, and then they must agree; they are never written. `tensors` are ours, `hub` is all that a file
    may hold, copies included. `ties` maps our tied names to the tensor that they share.
    """

    recipes: tuple[Recipe, ...]
    copies: tuple[Recipe, ...]
    tensors: Mapping[str, TensorSpec]
    hub: Mapping[str, TensorSpec]
    ties: Mapping[str, str]
    spellings: Spellings

    @classmethod
    def build(
        cls,
        rules: WeightRules,
        tensors: Mapping[str, TensorSpec],
        ties: Mapping[str, str],
        spans: Mapping[str, Span] = _NO_SPANS,
    ) -> WeightMap:
        """Checks by names and shapes that the rules are a bijection.

        `ties` maps an alias to its tensor in `tensors`; `spans` maps dotted paths such as `rename.h.*` to
        their places in the spec. Raises WeightsError W001 to W007 with every finding.
        """
        findings = Findings(spans)
        _check_ties(tensors, ties, findings)
        composer = Composer(rules, findings)
        recipes, hub = composer.finish({**tensors, **{alias: tensors[name] for alias, name in ties.items()}})
        primary, copies = _sorted_out(recipes, tensors, ties)
        copies += _explicit_copies(rules.alias, [*primary, *copies], hub, findings)
        known = {**hub, **{alias: hub[name] for alias, name in rules.alias.items() if name in hub}}
        spellings = _spellings(rules, known, findings)
        findings.stop_if_any()
        return cls(tuple(primary), tuple(copies), dict(tensors), known, dict(ties), spellings)

    def hub_shapes(self) -> dict[str, Shape]:
        """The hub tensors that are written, in order, with their shapes."""
        return {name: self.hub[name].shape for recipe in self.recipes for name in recipe.hub}

    def to_hub(self, read: Reader, xp: ArrayModule) -> Iterator[tuple[str, Array]]:
        """The hub's tensors, one recipe at a time; `read` gives ours, `xp` is numpy or torch."""
        for recipe in self.recipes:
            yield from recipe.to_hub(read, xp)

    def from_hub(self, read: Reader, xp: ArrayModule) -> Iterator[tuple[str, Array]]:
        """Our tensors, one recipe at a time; `read` gives the hub's. Copies are not read."""
        given = set[str]()
        for recipe in self.recipes:
            for name, array in recipe.to_ours(read, xp):
                if name not in given:
                    given.add(name)
                    yield name, array


def identity(tensors: Mapping[str, TensorSpec], ties: Mapping[str, str]) -> WeightMap:
    """The map of a file that uses our own names."""
    return WeightMap.build(WeightRules(), tensors, ties)


def _check_ties(tensors: Mapping[str, TensorSpec], ties: Mapping[str, str], findings: Findings) -> None:
    for alias, name in ties.items():
        if name not in tensors or alias in tensors:
            problem = (
                f"'{name}' is not a tensor" if name not in tensors else f"'{alias}' is a tensor of its own"
            )
            findings.add(
                "W006", "", "", f"cannot tie '{alias}' to '{name}': {problem}", did_you_mean(name, tensors)
            )
    findings.stop_if_any()


def _sorted_out(
    recipes: Iterable[Recipe], tensors: Mapping[str, TensorSpec], ties: Mapping[str, str]
) -> tuple[list[Recipe], list[Recipe]]:
    """The recipes that carry a tensor, and those that only repeat tied ones, both on canonical names."""
    primary, copies = list[Recipe](), list[Recipe]()
    for recipe in recipes:
        canonical = replace(recipe, ours=tuple(ties.get(name, name) for name in recipe.ours))
        (primary if any(name in tensors for name in recipe.ours) else copies).append(canonical)
    return primary, copies


def _explicit_copies(
    aliases: Mapping[str, str], recipes: Iterable[Recipe], hub: Mapping[str, TensorSpec], findings: Findings
) -> list[Recipe]:
    """For each alias, the recipe of the tensor that it repeats, read from the alias instead."""
    copies: list[Recipe] = []
    for alias, name in aliases.items():
        if name not in hub or alias in hub:
            problem = f"'{name}' is not a hub tensor" if name not in hub else "it is a hub tensor of its own"
            findings.add("W006", "alias", alias, problem, did_you_mean(name, hub))
        copies += [recipe.reading(name, alias) for recipe in recipes if name in recipe.hub]
    return copies


def _spellings(rules: WeightRules, hub: Mapping[str, TensorSpec], findings: Findings) -> Spellings:
    ignore = tuple(filter(None, (_ignored(text, hub, findings) for text in rules.ignore)))
    prefix = rules.base_prefix or ""
    if prefix and not any(name.startswith(f"{prefix}.") for name in hub):
        hint = did_you_mean(prefix, {name.partition(".")[0] for name in hub})
        findings.add("W002", "base_prefix", "", f"no hub tensor begins with '{prefix}.'", hint)
    return Spellings(ignore, Substitution.of(parse_pairs("accept", rules.accept, findings)), prefix)


def _ignored(text: str, hub: Mapping[str, TensorSpec], findings: Findings) -> Pattern | None:
    try:
        pattern = Pattern.parse(text)
    except MalformedPattern as error:
        findings.add("W001", "ignore", text, str(error))
        return None
    needed = next(filter(pattern.inside, hub), None)
    if needed:
        findings.add("W007", "ignore", text, f"would ignore '{needed}', which the model needs")
    return pattern
