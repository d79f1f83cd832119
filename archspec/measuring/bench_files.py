"""What the processes of `bench` read: a folder for each runtime, with a model and what it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as safetensors
from torch import Tensor

from archspec import model
from archspec.analysis.sizes import Sizes
from archspec.backends.onnx.quantize import Want
from archspec.exporting.cases import Case
from archspec.exporting.running import part as part_of
from archspec.exporting.timed import Timed
from archspec.ir import text
from archspec.measuring.bench import Candidate
from archspec.measuring.inputs import inputs
from archspec.reports.account import Account
from archspec.reports.lookups import limits
from archspec.reports.shapes import shapes
from archspec.weights.save_torch import save_native

WANTS: Mapping[str, Want | None] = {"onnxruntime": None, "onnxruntime-int8": Want("int8")}


class Prepared:
    """A compiled module in float32 with inputs; behind `past` tokens one more is taken, else all at once."""

    def __init__(self, module: Any, account: Account, past: int | None) -> None:
        """Raises ArchspecError A001, A002 for sizes."""
        self.module, self.graph, self.past = module, account.graph, past
        sizes = dict(account.question.sizes)
        if past is not None and self.graph.stream is not None:
            sizes[self.graph.stream] = past + 1
        asked = shapes(self.graph, Sizes.of(self.graph, sizes), "float32")
        drawn = inputs(asked, limits(self.graph), torch.device("cpu"))
        self.case = Case(sizes, {name: x.numpy() for name, x in drawn.items()}, {})

    def candidates(self, runtimes: Sequence[str], scratch: Path) -> list[Candidate]:
        """Writes a folder for each runtime. Raises UnsupportedError for what has no form in ONNX."""
        names = list(dict.fromkeys(runtimes))
        folders = {name: scratch / name for name in names}
        for folder in folders.values():
            folder.mkdir()
        under_onnx = [name for name in names if name in WANTS]
        files = {name: self._torch(folders[name]) for name in names if name not in WANTS}
        files |= self._onnx({name: folders[name] for name in under_onnx}, scratch) if under_onnx else {}
        return [Candidate(name, folders[name], files[name]) for name in names]

    def _onnx(self, folders: Mapping[str, Path], scratch: Path) -> dict[str, tuple[Path, ...]]:
        arrays = {name: x.detach().numpy() for name, x in self.module.state_dict().items()}
        timed = Timed(self.graph, arrays, self.case, self.past)
        given = timed.given(scratch / "before")
        return {name: timed.write(folder, given, WANTS[name]) for name, folder in folders.items()}

    def _torch(self, folder: Path) -> tuple[Path, ...]:
        module, state = self.module, folder / "model.safetensors"
        (folder / "model.py").write_text(module.source, encoding="utf-8")
        (folder / "model.ir").write_text(text.show(module.graph), encoding="utf-8")
        (folder / "past.json").write_text(json.dumps(self.past), encoding="ascii")
        save_native(model.untied(module.state_dict(), module.graph), state)
        if self.past is None:
            safetensors.save_file(self.part(0, None), folder / "given.safetensors")
        else:
            safetensors.save_file(self.part(0, self.past), folder / "prompt.safetensors")
            safetensors.save_file(self.part(self.past, 1), folder / "given.safetensors")
        return (state,)

    def part(self, at: int, step: int | None) -> dict[str, Tensor]:
        """What a step takes of the inputs."""
        given = self.case.inputs
        if step is not None:
            given = {name: part_of(self.graph, name, array, at, step) for name, array in given.items()}
        return {name: torch.from_numpy(array.copy()) for name, array in given.items()}
