"""The models that a graph is exported as, by the way they will be run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import onnx_ir as ir
from msgspec import structs

from archspec.backends.onnx.emit import Emitter, Weight
from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.merged import merged
from archspec.backends.onnx.modes import in_mode
from archspec.backends.onnx.naming import is_fixed, is_outer
from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.save import Written, save
from archspec.backends.onnx.walk import states
from archspec.exporting.format import Way
from archspec.ir.graph import Graph

Change: TypeAlias = Callable[[ir.Model], ir.Model]


def unchanged(model: ir.Model) -> ir.Model:
    return model


# File and mode: the names that optimum and transformers.js know.
FILES: Mapping[Way, Mapping[str, str]] = {
    "full": {"model.onnx": "full"},
    "cached": {"model.onnx": "cached"},
    "prefill-decode": {"decoder_model.onnx": "prefill", "decoder_with_past_model.onnx": "decode"},
    "encoder-decoder": {
        "encoder_model.onnx": "encoder",
        "decoder_model.onnx": "decoder",
        "decoder_with_past_model.onnx": "decoder_with_past",
    },
}


@dataclass(frozen=True, slots=True)
class File:
    """One model of an export: its file, the part of the graph in it, and what it takes and gives.

    `later`: what the same file is as well, where it is told to go on from what was left.
    """

    name: str
    mode: str
    graph: Graph
    form: Interface
    later: File | None = None

    @property
    def past_of(self) -> dict[str, str]:
        """Under which name a step takes what a step left, of what each module keeps."""
        kept = [each for each in states(self.graph) if not is_fixed(each[1]) and not is_outer(*each)]
        names = [(*each, index) for each in kept for index in range(len(each[1].types))]
        return {self.form.present_name(*name): self.form.past_name(*name) for name in names}


def files_of(
    graph: Graph, way: Way, leave_out: Collection[str], fixed: Mapping[str, int]
) -> tuple[File, ...]:
    """The models of an export. Raises UnsupportedError O020, O021 as `in_mode` does."""
    found: list[File] = []
    for name, mode in FILES[way].items():
        part, form = in_mode(graph, mode, leave_out)
        found.append(File(name, mode, part, replace(form, fixed=fixed)))
    return tuple(found)


def write(
    files: tuple[File, ...], profile: Profile, weight: Weight, folder: Path, *, external: bool | None,
    change: Change = unchanged,
) -> dict[str, Written]:  # fmt: skip
    """Writes each model to a folder, one after the other; `change` has each before it is saved.

    Raises what `Emitter.model`, `change` and `save` raise.
    """
    return {file.name: _write(file, profile, weight, folder, external, change) for file in files}


def _write(
    file: File, profile: Profile, weight: Weight, folder: Path, external: bool | None, change: Change
) -> Written:
    place = folder / file.name
    model = change(Emitter(file.graph, profile, file.form, weight).model())
    if file.later is not None:
        later = change(Emitter(file.later.graph, profile, file.later.form, weight).model())
        model = merged(model, later, file.past_of)
    written = save(model, place.parent, place.name, external=external)
    names = (str((place.parent / name).relative_to(folder)) for name in written.files)
    return structs.replace(written, files=tuple(names))
