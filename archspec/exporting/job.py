"""One export from beginning to end: all of its files appear, verified, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from archspec.analysis.sizes import Sizes
from archspec.atomic import new_directory
from archspec.backends.onnx.compare import TOLERANCES
from archspec.backends.onnx.emit import Weight
from archspec.backends.onnx.profile import Profile
from archspec.errors import Diagnostic, UnsupportedError
from archspec.exporting import cases, tensors
from archspec.exporting.cases import Array, Case
from archspec.exporting.fewer_bits import fewer_bits
from archspec.exporting.files import File, files_of, write
from archspec.exporting.format import Format, Verification
from archspec.exporting.layouts import beside, laid_out, way_of, without
from archspec.ir.graph import Graph
from archspec.reports.export import Exported
from archspec.spec.spec import Spec

if TYPE_CHECKING:
    from archspec.exporting.running import Loaded


class Original(Protocol):
    """The model itself, where it can run."""

    @property
    def arrays(self) -> Mapping[str, Array]:
        """Its tensors by name."""
        ...

    def run(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """What it says to inputs."""
        ...

    def part(self, graph: Graph) -> Original:
        """A part of it alone, that is cut from its graph."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """What to export, and as what. `checkpoint` is None for the weights that the original has.

    `reference`: they stay where they lie. `original` is made when it is first needed.
    """

    spec: Spec
    graph: Graph
    format: Format
    how: Verification
    checkpoint: Path | None
    reference: bool
    original: Callable[[], Original]

    def run(self, out: Path) -> Exported:
        """Writes to the folder `out`. Raises what `archspec.export` says."""
        Sizes.of(self.graph, self.format.sizes)
        profile = Profile(self.format.profile, self.format.dtype)
        way = way_of(self.graph, self.format)
        files = files_of(self.graph, way, without(self.graph, self.format), self.format.sizes)
        files = laid_out(files, self.format)
        if self.reference:
            _refuse_folders(files)
        recorded = cases.load(self.graph, self.how.case) if self.how.case else None
        if self.how.run:
            check_runtime(self.how, profile)
        weight = self._weight(out)
        external = self.format.external
        with new_directory(out) as scratch, fewer_bits(self.graph, self.format, self.reference) as change:
            models = write(files, profile, weight, scratch, external=external, change=change)
            done = Exported(str(out), profile, models, stored=self.format.stored)
            for name, text in beside(self.spec, self.graph, self.format, models).items():
                (scratch / name).write_text(text, encoding="utf-8")
            return self._verified(done, files, scratch, out, recorded) if self.how.run else done

    def _weight(self, out: Path) -> Weight:
        dtype = self.format.dtype
        if self.checkpoint is None:
            return tensors.from_arrays(self.original().arrays, dtype)
        if self.reference:
            return tensors.by_reference(self.spec, self.graph, self.checkpoint, out, dtype)
        return tensors.from_checkpoint(self.spec, self.graph, self.checkpoint, dtype)

    def _verified(
        self,
        done: Exported,
        files: tuple[File, ...],
        scratch: Path,
        out: Path,
        recorded: tuple[Case, ...] | None,
    ) -> Exported:
        from archspec.exporting import running, verify  # lazy: only what is verified needs ONNX Runtime

        place = out if self.reference else scratch
        loaded = running.load(self.graph, files, scratch, done.profile, self.how.provider, place)
        given = recorded or self._cases(loaded)
        checks = verify.verify(loaded, given, self.format.stored)
        if self.how.record is not None:
            cases.save(given, self.how.record)
        used = loaded.first.providers
        return replace(done, checks=checks, providers=used, tolerance=TOLERANCES[self.format.stored])

    def _cases(self, loaded: Loaded) -> tuple[Case, ...]:
        padded = not loaded.grouped  # GroupQueryAttention counts tokens, so what is padded says nothing
        run, sizes = self.original().run, self.format.sizes
        return cases.make(self.graph, loaded.inputs, run, sizes, padded=padded)


def _refuse_folders(files: tuple[File, ...]) -> None:
    """Raises UnsupportedError O041 where a model would not lie beside the weights that it refers to."""
    deeper = next((file.name for file in files if "/" in file.name), None)
    if deeper is not None:
        message = f"{deeper} would not lie in the folder of the weights, where ONNX Runtime reads them"
        raise UnsupportedError(Diagnostic("O041", message, None, "leave --reference or --layout out"))


def check_runtime(how: Verification, profile: Profile) -> None:
    """Finds what is missing before anything is written."""
    from archspec.backends.onnx import runtime  # lazy: only a verified export needs ONNX Runtime

    runtime.check_version(profile.opset)
    runtime.check_provider(how.provider)
