"""Matching the tensors that a file holds with those that a map expects, before any is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from archspec.errors import Diagnostic, WeightsError, did_you_mean
from archspec.weights.arrays import Array, ArrayModule, Reader, TensorSpec, same, written
from archspec.weights.mapping import WeightMap
from archspec.weights.recipe import Recipe

_PRINTED = 20


class UnmatchedError(WeightsError):
    """A file lacks tensors, or holds tensors of no use. Both lists are complete here, and cut in the text."""

    def __init__(self, missing: Sequence[str], unused: Sequence[str], *others: Diagnostic) -> None:
        self.missing = tuple(missing)
        self.unused = tuple(unused)
        super().__init__(*_unmatched(self.missing, self.unused), *others)


class Reading(Struct, frozen=True):
    """A file that fits a map. `places` says under which name the file holds each hub tensor."""

    recipes: tuple[Recipe, ...]
    source: Mapping[str, Recipe]
    places: Mapping[str, str]

    def run(self, read: Reader, xp: ArrayModule) -> Iterator[tuple[str, Array]]:
        """Our tensors, each once; `read` takes names of the file.

        Raises WeightsError W043 where tied tensors that the file repeats are not equal.
        """

        def read_hub(name: str, /) -> Array:
            return read(self.places[name])

        given = set[str]()
        for recipe in self.recipes:
            for name, array in recipe.to_ours(read_hub, xp):
                if self.source[name] is recipe and name not in given:
                    given.add(name)
                    yield name, array
                elif not same(array, dict(self.source[name].to_ours(read_hub, xp))[name]):
                    raise self._differs(name, recipe)

    def check_ties(self, read: Reader, xp: ArrayModule) -> None:
        """Reads what a file holds more than once. Raises WeightsError W043 where it is not equal."""
        repeating = (each for each in self.recipes if self._repeats(each))
        for _ in replace(self, recipes=tuple(repeating)).run(read, xp):
            pass

    def _repeats(self, recipe: Recipe) -> bool:
        return len({*recipe.ours}) < len(recipe.ours) or any(
            self.source[name] is not recipe for name in recipe.ours
        )

    def _differs(self, name: str, recipe: Recipe) -> WeightsError:
        first, second = (self.places[each.hub[0]] for each in (self.source[name], recipe))
        hint = "the file is of a model in which they are not tied"
        return WeightsError(Diagnostic("W043", f"'{first}' and '{second}' are tied but differ", None, hint))


def match(weights: WeightMap, stored: Mapping[str, TensorSpec]) -> Reading:
    """Finds a place in the file for every tensor of the map.

    `stored` holds the names, shapes and dtypes of a file. Raises WeightsError with everything that does not
    fit: W040 missing, W041 unused, W042 wrong shape or dtype, W044 one tensor under two names.
    """
    places, unknown, twice = _places(weights, stored)
    source = _sources((*weights.recipes, *weights.copies), places)
    missing = [name for recipe in weights.recipes for name in _lacking(recipe, source, places)]
    runnable = [recipe for recipe in (*weights.recipes, *weights.copies) if _is_there(recipe, places)]
    used = {name for recipe in (*runnable, *weights.recipes) for name in recipe.hub}
    unused = [*unknown, *(place for name, place in places.items() if name not in used)]
    wrong = [found for hub, name in places.items() for found in misfits(name, weights.hub[hub], stored[name])]
    if missing or unused:
        raise UnmatchedError(missing, unused, *twice, *wrong)
    if twice or wrong:
        raise WeightsError(*twice, *wrong)
    return Reading(tuple(runnable), source, places)


def _places(weights: WeightMap, stored: Iterable[str]) -> tuple[dict[str, str], list[str], list[Diagnostic]]:
    """The file's name of each hub tensor it holds, the names that stand for none, and tensors found twice."""
    places, unknown, twice = dict[str, str](), list[str](), list[Diagnostic]()
    for name in stored:
        hub = next((each for each in weights.spellings.of(name) if each in weights.hub), None)
        if hub in places:
            twice.append(Diagnostic("W044", f"'{places[hub]}' and '{name}' are one tensor under two names"))
        elif hub is not None:
            places[hub] = name
        elif not weights.spellings.ignores(name):
            unknown.append(name)
    return places, unknown, twice


def _sources(recipes: Iterable[Recipe], places: Mapping[str, str]) -> dict[str, Recipe]:
    """The recipe that gives each of our tensors: its own where the file has all of it, else a copy's."""
    source: dict[str, Recipe] = {}
    for recipe in recipes:
        if _is_there(recipe, places):
            for name in recipe.ours:
                source.setdefault(name, recipe)
    return source


def _is_there(recipe: Recipe, places: Mapping[str, str]) -> bool:
    return all(name in places for name in recipe.hub)


def _lacking(recipe: Recipe, source: Mapping[str, Recipe], places: Mapping[str, str]) -> list[str]:
    if all(name in source for name in recipe.ours):
        return []
    return [name for name in recipe.hub if name not in places]


def misfits(name: str, wanted: TensorSpec, found: TensorSpec) -> Iterator[Diagnostic]:
    """W042 where the shape differs, and where the kind of dtype does."""
    if found.shape != wanted.shape:
        turned = len(wanted.shape) > 1 and found.shape == (*wanted.shape[:-2], *wanted.shape[:-3:-1])
        hint = "it is stored transposed: is it missing from `transpose`?" if turned else None
        text = f"'{name}' is {written(found.shape)}, but the model needs {written(wanted.shape)}"
        yield Diagnostic("W042", text, None, hint)
    if found.kind != wanted.kind:
        text = f"'{name}' is {found.dtype}, but the model needs {wanted.dtype}"
        yield Diagnostic("W042", text, None, f"a {wanted.kind} dtype is needed")


def _unmatched(missing: Sequence[str], unused: Sequence[str]) -> Iterator[Diagnostic]:
    if missing:
        hint = did_you_mean(missing[0], unused[:1000])
        yield Diagnostic("W040", f"{len(missing)} tensors are missing: {_listed(missing)}", None, hint)
    if unused:
        text = f"{len(unused)} tensors of the file are of no use to the model: {_listed(unused)}"
        yield Diagnostic("W041", text, None, "`ignore` names tensors that may be left out")


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _PRINTED} more" if len(names) > _PRINTED else ""
    return ", ".join(names[:_PRINTED]) + rest
