"""The tensors of a checkpoint as numpy arrays, each read when it is asked for."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, TypeAlias, cast

import ml_dtypes
import numpy as np
from msgspec import Struct

from archspec.errors import Diagnostic, WeightsError
from archspec.weights.folder import Checkpoint
from archspec.weights.header import Stored, data_start, read_header
from archspec.weights.held import Held
from archspec.weights.reading import match
from archspec.weights.recipe import Recipe

Array: TypeAlias = np.ndarray[Any, Any]


class Bytes(Struct, frozen=True):
    """Where the bytes of one tensor lie. `dtype` is spelt as torch spells it."""

    path: Path
    offset: int
    length: int
    shape: tuple[int, ...]
    dtype: str


class Files:
    """The bytes of a checkpoint's tensors, by the names that its files use."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._headers: dict[Path, tuple[int, dict[str, Stored]]] = {}

    def bytes_of(self, name: str) -> Bytes:
        path = self._checkpoint.files[name]
        if path not in self._headers:
            self._headers[path] = data_start(path), read_header(path)
        start, header = self._headers[path]
        held = header[name]
        return Bytes(path, start + held.start, held.stop - held.start, held.spec.shape, held.spec.dtype)

    def read(self, name: str, /) -> Array:
        """The tensor as the file holds it. Raises WeightsError W022 where the file has shrunk, W020."""
        at = self.bytes_of(name)
        try:
            found = np.fromfile(at.path, numpy_dtype(at.dtype), prod(at.shape), offset=at.offset)
        except OSError as error:
            raise WeightsError(Diagnostic("W020", f"cannot read {at.path}: {error.strerror}")) from error
        if found.nbytes != at.length:
            raise WeightsError(Diagnostic("W022", f"{at.path} ends inside '{name}'"))
        return found.reshape(at.shape)


class Tensors:
    """Tensors of a graph under our names. What several are cut from is read once if they come in turn."""

    def __init__(self, held: Held) -> None:
        """Raises WeightsError W040 to W044 where the checkpoint does not fit, all findings at once."""
        self.names = held.names
        self.files = Files(held.checkpoint)
        self._reading = match(held.weights, held.checkpoint.tensors)
        self._last: tuple[Recipe, dict[str, Array]] | None = None

    def recipe(self, name: str) -> Recipe:
        """How the tensor is made of the checkpoint's."""
        return self._reading.source[self.names[name]]

    def place(self, hub: str) -> Bytes:
        """Where a tensor of the checkpoint lies, by the name that the map has for it."""
        return self.files.bytes_of(self._reading.places[hub])

    def read(self, name: str) -> Array:
        """The tensor in the dtype of the file."""
        recipe = self.recipe(name)
        if self._last is None or self._last[0] is not recipe:
            self._last = None
            self._last = recipe, dict(recipe.to_ours(self._read_hub, cast("Any", np)))
        found = self._last[1][self.names[name]]
        if len(recipe.ours) == 1:
            self._last = None
        return found

    def check_ties(self) -> None:
        """Raises WeightsError W043 where the file repeats a tied tensor, and the two are not equal."""
        self._reading.check_ties(self.files.read, cast("Any", np))

    def _read_hub(self, name: str, /) -> Array:
        return self.files.read(self._reading.places[name])


def numpy_dtype(name: str) -> np.dtype[Any]:
    """numpy's dtype for one that torch names; `bfloat16` is that of ml_dtypes."""
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
