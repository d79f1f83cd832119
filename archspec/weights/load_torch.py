"""Loading checkpoints as torch tensors under our names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from archspec.errors import Diagnostic, WeightsError
from archspec.weights.folder import Checkpoint, open_checkpoint
from archspec.weights.mapping import WeightMap
from archspec.weights.reading import match


def load_state(path: Path, weights: WeightMap, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint folder or file under our names, on the CPU.

    Floating-point tensors keep the file's dtype unless `dtype` is given; others always keep it.
    Raises WeightsError; with W040 and W041 it lists what is missing and what is unused.
    """
    return dict(iterate_state(path, weights, dtype))


def iterate_state(
    path: Path, weights: WeightMap, dtype: torch.dtype | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Like `load_state`, one tensor at a time; `len(weights.tensors)` of them come."""
    checkpoint = open_checkpoint(path)
    reading = match(weights, checkpoint.tensors)
    with _Files(checkpoint) as files:
        for name, tensor in reading.run(files.read, torch):
            yield name, _owned(tensor, dtype)


def load_native(path: Path, weights: WeightMap | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a file that uses our own names; `weights` is the identity map to check them against."""
    if weights is not None:
        return load_state(path, weights)
    checkpoint = open_checkpoint(path)
    with _Files(checkpoint) as files:
        return {name: _owned(files.read(name), None) for name in checkpoint.tensors}


class _Files:
    """The open files of a checkpoint; each is opened when the first of its tensors is read."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._open: dict[Path, Any] = {}

    def __enter__(self) -> _Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._open.values():
            file.__exit__(kind, error, trace)

    def read(self, name: str, /) -> torch.Tensor:
        """The tensor as the file holds it. Raises WeightsError W022."""
        path = self._checkpoint.files[name]
        try:
            if path not in self._open:
                self._open[path] = safe_open(path, framework="pt").__enter__()
            return self._open[path].get_tensor(name)
        except (SafetensorError, OSError, RuntimeError) as error:
            raise WeightsError(Diagnostic("W022", f"cannot read '{name}' from {path}: {error}")) from error


def _owned(tensor: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    """The tensor in memory of its own, so that it outlives the file and shares nothing.

    A transposed one stays laid out as in the file: a CPU is fastest at a row times an [in, out] matrix.
    """
    wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    return tensor.to(wanted, copy=True)
