"""A model of several that are cut from one spec, loaded, and what it is verified with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.runtime import Provider, Session
from archspec.errors import ArchspecError, Diagnostic
from archspec.exporting import cases
from archspec.exporting.cases import Case
from archspec.exporting.files import File
from archspec.exporting.part import Part

Array: TypeAlias = np.ndarray[Any, Any]
Arrays: TypeAlias = dict[str, Array]
Run: TypeAlias = Callable[[Mapping[str, Array]], Arrays]


@dataclass(frozen=True, slots=True)
class Model:
    """A part that is loaded."""

    part: Part
    file: File
    session: Session

    @classmethod
    def load(cls, part: Part, file: File, folder: Path, profile: Profile, provider: Provider) -> Model:
        """Raises what `Session` does."""
        return cls(part, file, Session(folder / file.name, provider=provider, opset=profile.opset))

    @property
    def inputs(self) -> frozenset[str]:
        """The graph's inputs that it takes."""
        form, taken = self.file.form, self.session.inputs
        return frozenset(v.name for v in self.file.graph.inputs if form.name(v.name) in taken)

    @property
    def outputs(self) -> set[str]:
        return {name for name, _ in self.file.graph.outputs}

    def run(self, case: Case) -> Arrays:
        """The graph's outputs, by their names there. Raises UnsupportedError O005."""
        form = self.file.form
        given = {form.name(name): array for name, array in case.inputs.items() if name in self.inputs}
        found = self.session.run({name: self._ported(name, array) for name, array in given.items()})
        return {name: found[form.name(name)] for name in self.outputs}

    def _ported(self, name: str, array: Array) -> Array:
        """An input as the model takes it: what it takes once is the same in every row."""
        shape = self.session.shape(name)
        once = array[:1].reshape([1] * len(shape)) if shape in ((), (1,)) else array
        return self.session.cast(name, once)

    def cases(self, run: Run, sizes: Mapping[str, int]) -> tuple[Case, ...]:
        """Three, that the original says something to. Raises ArchspecError O006."""
        fixed = {name: size for name, size in sizes.items() if name in self.file.graph.dims}
        return cases.make(self.file.graph, self.inputs, run, fixed, constant=self.part.constant)

    def among(self, recorded: Sequence[Case], path: Path) -> tuple[Case, ...]:
        """Those cases that are its own. Raises ArchspecError O007 where there is none."""
        own = tuple(case for case in recorded if {*case.outputs} == self.outputs)
        if not own:
            message = f"{path} has no case of {self.file.name}, which gives {', '.join(sorted(self.outputs))}"
            raise ArchspecError(
                Diagnostic("O007", message, None, "record cases with the same layout: --record")
            )
        return own
