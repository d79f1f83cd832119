"""A case run through exported models: at once, or step by step where one takes what another left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np

from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.naming import is_fixed, is_outer
from archspec.backends.onnx.notes import KEY
from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.runtime import Provider, Session
from archspec.backends.onnx.walk import states
from archspec.dims.num import reads
from archspec.exporting.branches import Branch
from archspec.exporting.cases import Case
from archspec.exporting.files import File
from archspec.ir.graph import Graph
from archspec.ir.scope import PAST

Array: TypeAlias = np.ndarray[Any, Any]
Arrays: TypeAlias = dict[str, Array]
Running: TypeAlias = Session | Branch


def load(
    graph: Graph, files: tuple[File, ...], folder: Path, profile: Profile, provider: Provider, weights: Path
) -> Loaded:
    """The models of an export, ready to run; `weights` is where theirs lie. Raises what `Session` does."""
    sessions: dict[str, Running] = {}
    for file in files:
        made = Session(folder / file.name, provider=provider, opset=profile.opset, folder=weights)
        sessions |= {file.mode: made} if file.later is None else _branches(file, file.later, made)
    first = next(sessions[mode] for mode in ("full", "cached", "prefill", "decoder") if mode in sessions)
    later = next((sessions[mode] for mode in ("decode", "decoder_with_past") if mode in sessions), first)
    forms = {file.mode: file.form for file in files}
    form = (files[-1].later or files[-1]).form
    encoder = sessions.get("encoder"), forms.get("encoder", form)
    return Loaded(graph, form, first, later, *encoder, grouped=profile.contrib)


def _branches(first: File, later: File, session: Session) -> dict[str, Running]:
    """The two models that one file is."""
    unread = frozenset(first.past_of.values()) & {*session.inputs}
    return {
        first.mode: Branch(session, cached=False, unread=unread),
        later.mode: Branch(session, cached=True),
    }


@dataclass(frozen=True, slots=True)
class Loaded:
    """The models that together compute a graph. One for all steps is both `first` and `later`.

    `grouped`: its attentions may be GroupQueryAttention, which refuses several tokens of several rows behind
    a past.
    """

    graph: Graph
    form: Interface
    first: Running
    later: Running
    encoder: Running | None = None
    encoder_form: Interface = field(default_factory=Interface)
    grouped: bool = False

    @property
    def sessions(self) -> tuple[Running, ...]:
        return tuple(x for x in dict.fromkeys((self.encoder, self.first, self.later)) if x)

    @property
    def inputs(self) -> frozenset[str]:
        """The graph's inputs that the models take."""
        decoder = {*self.first.inputs, *self.later.inputs}
        encoder = set(self.encoder.inputs) if self.encoder else set[str]()
        pairs = ((self.form, decoder), (self.encoder_form, encoder))
        return frozenset(
            v.name for v in self.graph.inputs if any(form.name(v.name) in taken for form, taken in pairs)
        )

    def run(self, case: Case) -> Arrays:
        """The graph's outputs, by their names there. Raises what a session raises."""
        names = {self.form.name(name): name for name, _ in self.graph.outputs}
        if self.later is self.first and not _kept(self.first):
            found = self.first.run(_fed(self.first, self.form, case.inputs))
            return {names[name]: array for name, array in found.items() if name in names}
        steps = steps_of(_length(self.graph, case), singly=self.grouped)
        return _joined(self.graph, [found for _, found in self._steps(case, steps)], names)

    def behind(self, case: Case, past: int) -> Arrays:
        """What the later model takes for the tokens of a case that stand behind `past` others."""
        *_, (fed, _) = self._steps(case, (past, _length(self.graph, case) - past))
        return fed

    def _steps(self, case: Case, steps: Iterable[int]) -> Iterator[tuple[Arrays, Arrays]]:
        """What each step is given, and what it gives."""
        batch = next(iter(case.inputs.values())).shape[0]
        held = {**self._encoded(case), **_start(self.first, batch)}
        after = self._names_of_state()
        at = 0
        for step in steps:
            session = self.later if at else self.first
            given = {name: part(self.graph, name, array, at, step) for name, array in case.inputs.items()}
            counted = {PAST: np.array([at], dtype=np.int64)}
            fed = {**_fed(session, self.form, given), **_taken(session, {**held, **counted})}
            found = session.run(fed)
            held |= {after[name]: array for name, array in found.items() if name in after}
            at += step
            yield fed, found

    def _encoded(self, case: Case) -> Arrays:
        """What the whole model holds, under the names by which a decoder takes it."""
        if self.encoder is None:
            return {}
        found = self.encoder.run(_fed(self.encoder, self.encoder_form, case.inputs))
        outer = [(path, state) for path, state in states(self.graph) if is_outer(path, state)]
        names = [
            self.form.past_name(*each, i) for each in outer if not is_fixed(each[1]) for i in _count(each)
        ]
        return dict(zip(names, found.values(), strict=True))

    def _names_of_state(self) -> dict[str, str]:
        """Under which name the next step takes what a step left."""
        form, moving = self.form, [each for each in states(self.graph) if not is_fixed(each[1])]
        inner = [each for each in moving if not is_outer(*each)]
        return {form.present_name(*each, i): form.past_name(*each, i) for each in inner for i in _count(each)}


def _count(found: tuple[str, Any]) -> range:
    return range(len(found[1].types))


def _fed(session: Running, form: Interface, given: Mapping[str, Array]) -> Arrays:
    return _taken(session, {form.name(name): array for name, array in given.items()})


def _taken(session: Running, given: Mapping[str, Array]) -> Arrays:
    return {name: session.cast(name, array) for name, array in given.items() if name in session.inputs}


def _kept(session: Running) -> list[dict[str, Any]]:
    """The state that the model is given, as its metadata tells of it."""
    return [each for each in json.loads(session.metadata.get(KEY, "[]")) if each["input"]]


def _start(session: Running, batch: int) -> Arrays:
    """State before the first step: empty where it grows, else filled with the number it starts from."""
    kept = (each for each in _kept(session) if each["kind"] != "hold")
    return {
        each["input"]: session.start(each["input"], each.get("axis"), each.get("start"), batch)
        for each in kept
    }


def _length(graph: Graph, case: Case) -> int:
    """How many tokens stream."""
    return next(
        case.inputs[value.name].shape[axis]
        for value in graph.inputs
        for axis, size in enumerate(value.type.shape)
        if value.name in case.inputs and graph.stream in reads(size) and PAST not in reads(size)
    )


def steps_of(whole: int, *, singly: bool = False) -> Iterator[int]:
    """A chunk of tokens, one token, and chunks of what is left, or `singly` one after the other."""
    first = whole // 2 + 1 if whole > 1 else whole
    yield first
    left = whole - first
    while left:
        step = 1 if singly or left % 2 or left < 3 else left // 2 + 1
        yield step
        left -= step


def part(graph: Graph, name: str, array: Array, at: int, step: int) -> Array:
    """What one step is given of an input: what is new, or all so far where it counts what was before."""
    value = next(value for value in graph.inputs if value.name == name)
    for axis, size in enumerate(value.type.shape):
        if graph.stream in reads(size):
            start = 0 if PAST in reads(size) else at
            return cast("Array", array.take(range(start, at + step), axis=axis))
    return array


def _joined(graph: Graph, results: Sequence[Arrays], names: Mapping[str, str]) -> Arrays:
    """Outputs of all steps, one behind the other; of those that do not grow, the last."""
    types = {name: value.type for name, value in graph.outputs}
    found: Arrays = {}
    for name in (name for name in results[0] if name in names):
        sizes = types[names[name]].shape
        axis = next((i for i, size in enumerate(sizes) if graph.stream in reads(size)), None)
        each = [result[name] for result in results]
        found[names[name]] = each[-1] if axis is None else np.concatenate(each, axis)
    return found
