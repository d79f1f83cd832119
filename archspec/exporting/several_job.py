"""An export of several models that are cut from one spec: all of their files appear, verified, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from archspec.analysis.sizes import Sizes
from archspec.atomic import new_directory
from archspec.backends.onnx.compare import TOLERANCES
from archspec.backends.onnx.emit import Weight
from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.save import Written
from archspec.errors import Diagnostic, UnsupportedError
from archspec.exporting import cases, tensors
from archspec.exporting.cases import Case
from archspec.exporting.fewer_bits import fewer_bits
from archspec.exporting.files import Change, File, write
from archspec.exporting.folders import Folder
from archspec.exporting.format import Format, Verification
from archspec.exporting.job import Original, check_runtime
from archspec.exporting.part import Part
from archspec.ir.graph import Graph
from archspec.reports.export import Check, Exported
from archspec.spec.spec import Spec

if TYPE_CHECKING:
    import onnx_ir as ir

    from archspec.exporting.several import Model


@dataclass(frozen=True, slots=True)
class SeveralJob:
    """As `Job`, for a folder of several models. Weights do not stay in a checkpoint, as two may share one."""

    spec: Spec
    graph: Graph
    format: Format
    how: Verification
    checkpoint: Path | None
    folder: Folder
    original: Callable[[], Original]

    def run(self, out: Path) -> Exported:
        """Writes to the folder `out`. Raises what `archspec.export` says."""
        Sizes.of(self.graph, self.format.sizes)
        profile = Profile(self.format.profile, self.format.dtype)
        files = [(part, part.written_as(self.format)) for part in self.folder.parts]
        recorded = cases.load(self.graph, self.how.case) if self.how.case else None
        if self.how.run:
            check_runtime(self.how, profile)
        with new_directory(out) as scratch:
            models, weight = dict[str, Written](), self._weight()
            for part, file in files:
                models |= self._write(part, file, profile, weight, scratch)
            for name, text in self.folder.texts.items():
                (scratch / name).parent.mkdir(parents=True, exist_ok=True)
                (scratch / name).write_text(text, encoding="utf-8")
            done = Exported(str(out), profile, models, stored=self.format.stored)
            return self._verified(done, files, scratch, recorded) if self.how.run else done

    def _write(
        self, part: Part, file: File, profile: Profile, weight: Weight, scratch: Path
    ) -> Mapping[str, Written]:
        external = self.format.external
        with fewer_bits(file.graph, self.format, reference=False) as bits:
            change = _both(part.change, bits)
            return write((file,), profile, weight, scratch, external=external, change=change)

    def _weight(self) -> Weight:
        """The tensors of the whole; a part may have a tied one under another name alone."""
        if self.checkpoint is None:
            return tensors.from_arrays(self.original().arrays, self.format.dtype)
        held = tensors.from_checkpoint(self.spec, self.graph, self.checkpoint, self.format.dtype)
        owners = dict(self.graph.ties)
        return lambda name, param: held(owners.get(name, name), param)

    def _verified(
        self, done: Exported, files: list[tuple[Part, File]], scratch: Path, recorded: tuple[Case, ...] | None
    ) -> Exported:
        from archspec.exporting import verify  # lazy: only what is verified needs ONNX Runtime
        from archspec.exporting.several import Model  # lazy: the same

        checks: list[Check] = []
        used: tuple[str, ...] = ()
        every: list[Case] = []
        for part, file in files:
            model = Model.load(part, file, scratch, done.profile, self.how.provider)
            given = self._cases(model, recorded)
            checks += verify.verify(model, given, self.format.stored)
            every += given
            used = model.session.providers
        if self.how.record is not None:
            cases.save(every, self.how.record)
        return replace(done, checks=tuple(checks), providers=used, tolerance=TOLERANCES[self.format.stored])

    def _cases(self, model: Model, recorded: tuple[Case, ...] | None) -> tuple[Case, ...]:
        if recorded is not None and self.how.case is not None:
            return model.among(recorded, self.how.case)
        return model.cases(self.original().part(model.file.graph).run, self.format.sizes)


def _both(first: Change, then: Change) -> Change:
    def change(model: ir.Model) -> ir.Model:
        return then(first(model))

    return change


def refuse_reference(reference: bool) -> None:
    """Raises UnsupportedError O041 where weights are to stay in files that several models share."""
    if reference:
        message = "a folder of several models does not take its weights from a checkpoint's files"
        raise UnsupportedError(
            Diagnostic("O041", message, None, "leave --reference out, or export one graph: --graph NAME")
        )
