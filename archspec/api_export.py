"""The verbs that write a model for other runtimes, and say what there is to run it on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from archspec import api
from archspec.api import Named, Overrides
from archspec.errors import ArchspecError, Diagnostic
from archspec.exporting.format import Format, ProfileName, Verification
from archspec.extras import installed

if TYPE_CHECKING:
    from torch import nn

    from archspec.exporting.doctor import Report
    from archspec.exporting.job import Original
    from archspec.ir.graph import Graph
    from archspec.reports.export import Exported
    from archspec.reports.table import Table
    from archspec.spec.spec import Spec


def export(
    spec: Named, out: Path | str | None = None, *, weights: Path | str | nn.Module | None = None,
    init: int | None = None, reference: bool = False, format: Format | None = None,
    verification: Verification | None = None, preset: str | None = None,
    overrides: Overrides | None = None, graph: str | None = None,
) -> Exported:  # fmt: skip
    """Writes a model as ONNX to the folder `out`, runs it beside the original, and says how far they differ.

    `weights` is a checkpoint folder or file, or a compiled module; `init` a seed to draw them from instead.
    `reference` leaves them in the checkpoint's files, and writes the model beside these. Nothing is left
    behind on failure. Raises UnsupportedError U004, O001, O013 for what has no form in this profile, O003 to
    O005 for ONNX Runtime, O020, O021 for the mode; ArchspecError O002 where the models differ, O006 to O008
    where they cannot be compared, O009 where it is not said which weights are meant, or where to write, O011,
    F001, F002 for files; WeightsError where the checkpoint does not fit, O010, O012; X002 for a package.
    """
    with installed("onnx"):
        from archspec.exporting.folders import folder_of  # lazy: short commands start without numpy
        from archspec.exporting.job import Job  # lazy: the same
        from archspec.exporting.several_job import SeveralJob, refuse_reference  # lazy: the same

    how, what = verification or Verification(), format or Format()
    loaded = api.load(spec, preset=preset, overrides=overrides, graph=graph)
    path = Path(weights) if isinstance(weights, str | Path) else None
    _check_source(weights, init, path if reference else Path())
    folder = _folder(out, path if reference else None)
    lowered = api.lower(loaded)
    module = weights if path is None and not isinstance(weights, str | Path) else None
    original = _original(loaded, lowered, module or path, init, what.dtype)
    if how.run and how.case is None and find_spec("torch") is None:
        raise _without_torch()
    several = folder_of(loaded, lowered, what, path)
    if several is not None:
        refuse_reference(reference)
        return SeveralJob(loaded, lowered, what, how, path, several, original).run(folder)
    return Job(loaded, lowered, what, how, path, reference, original).run(folder)


def _original(
    spec: Spec, graph: Graph, weights: Path | nn.Module | None, init: int | None, dtype: str
) -> Callable[[], Original]:
    """What makes the model itself, once."""

    @cache
    def made() -> Original:
        with installed("torch"):
            from archspec import model  # lazy: a checkpoint is exported without torch
            from archspec.pipelines.arrays import Original as Running  # lazy: the same

        if weights is not None and not isinstance(weights, Path):
            return Running(weights, dtype)
        state = model.read(spec, graph, weights) if weights else None
        text = api.source(spec, attention="eager")  # which has every mask and score
        return Running(model.make(text, graph, state=state, seed=init), dtype)

    return made


def _check_source(weights: object, init: int | None, checkpoint: Path | None) -> None:
    if (weights is None) == (init is None):
        message = (
            "it is not said which weights to export"
            if init is None
            else "weights and a seed exclude each other"
        )
        raise _unclear(message, "give a checkpoint, or a seed for random ones")
    if checkpoint is None:
        raise _unclear("only the tensors of a checkpoint can be referenced", "give its folder or file")


def _folder(out: Path | str | None, checkpoint: Path | None) -> Path:
    """Where to write: beside the weights that are referenced, unless it is said."""
    if out is not None:
        return Path(out)
    if checkpoint is None:
        raise _unclear("it is not said where to write", "give a folder")
    return checkpoint if checkpoint.is_dir() else checkpoint.parent


def _unclear(message: str, hint: str) -> ArchspecError:
    return ArchspecError(Diagnostic("O009", message, None, hint))


def _without_torch() -> ArchspecError:
    message = "torch is not installed, so there is nothing to compare the exported model with"
    hint = "give --case FILE, which --record FILE writes where torch is, or --no-verify"
    return ArchspecError(Diagnostic("O008", message, None, hint))


def export_tables(exported: Exported) -> list[Table]:
    """What was written, file by file, and how far it is from the original."""
    from archspec.reports.export import export_tables as tables  # lazy: as in `export`

    return tables(exported)


def verdicts(spec: Named, *, profile: ProfileName = "standard") -> Table:
    """How each operation of a model is written in ONNX, or why it is not. Raises what `lower` raises."""
    with installed("onnx"):
        from archspec.backends.onnx.profile import Profile  # lazy: short commands start without numpy
        from archspec.reports.export import verdict_table  # lazy: the same

    return verdict_table(api.lower(api.load(spec)), Profile(profile))


def doctor() -> Report:
    """What is installed that models run on, and what of it is broken: versions, providers, GPUs."""
    from archspec.exporting.doctor import examine  # lazy: it looks at every installed package

    return examine()
