"""One step of a model as a runtime is timed with it: a model in ONNX beside what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.modes import ENCODER, may_be_left_out, modes_of
from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.quantize import Want, quantize
from archspec.backends.onnx.save import save
from archspec.exporting.cases import Case
from archspec.exporting.files import File, files_of, write
from archspec.exporting.format import Way
from archspec.exporting.running import Array, load
from archspec.exporting.tensors import from_arrays
from archspec.ir.graph import Graph

MODEL, GIVEN = "model.onnx", "given.npz"
PROFILE = Profile()


class Timed:
    """A graph in float32 with its tensors, and inputs at the sizes that are timed.

    `past`: so many of the tokens are in a cache, and one step takes the others; None for all of them at once.
    """

    def __init__(self, graph: Graph, arrays: Mapping[str, Array], case: Case, past: int | None) -> None:
        self.graph, self.case, self.past = graph, case, past
        self.weight = from_arrays(arrays, PROFILE.dtype)
        absent = [name for name in may_be_left_out(graph) if name not in case.inputs]
        self.files = files_of(graph, _way(graph, past), absent, {})

    def given(self, scratch: Path) -> dict[str, Array]:
        """What the model that is timed takes. Behind a cache, steps before it are run in `scratch`."""
        if self.past is None:
            return {self.timed.form.name(name): array for name, array in self.case.inputs.items()}
        write(self.files, PROFILE, self.weight, scratch, external=True)
        return load(self.graph, self.files, scratch, PROFILE, "cpu", scratch).behind(self.case, self.past)

    @property
    def timed(self) -> File:
        """The model of later steps stands last."""
        return self.files[-1]

    def write(self, folder: Path, given: Mapping[str, Array], want: Want | None) -> tuple[Path, ...]:
        """Writes the model and what it takes; gives the files of the model. Raises what `quantize` raises."""
        model = Emitter(self.timed.graph, PROFILE, self.timed.form, self.weight).model()
        if want is not None:
            quantize(model, want)
        written = save(model, folder, MODEL, external=True)
        np.savez(folder / GIVEN, allow_pickle=False, **given)
        return tuple(folder / file for file in written.files)


def _way(graph: Graph, past: int | None) -> Way:
    if past is None:
        return "full"
    return "encoder-decoder" if ENCODER.name in modes_of(graph) else "prefill-decode"
