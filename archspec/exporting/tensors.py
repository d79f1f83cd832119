"""The weights of a model as an ONNX file takes them: from a checkpoint or arrays, or left where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import onnx_ir as ir

from archspec.backends.onnx import weights as stored
from archspec.backends.onnx.emit import Weight
from archspec.backends.onnx.laid import Arrays, Laid
from archspec.backends.onnx.tape import Tape
from archspec.errors import Diagnostic, WeightsError
from archspec.ir.graph import Graph, Param
from archspec.spec.spec import Spec
from archspec.weights.held import held_in
from archspec.weights.load_numpy import Bytes, Tensors, numpy_dtype
from archspec.weights.recipe import Recipe

Array: TypeAlias = np.ndarray[Any, Any]


def from_arrays(arrays: Mapping[str, Array], dtype: str) -> Weight:
    """Tensors that are in memory, under our names."""

    def weight(name: str, param: Param) -> ir.TensorProtocol:
        return stored.lazily(name, param, dtype, lambda: arrays[name])

    return weight


def from_checkpoint(spec: Spec, graph: Graph, path: Path, dtype: str) -> Weight:
    """The tensors of a checkpoint, each read when it is written.

    Raises WeightsError: W020 to W023 where it cannot be read, W040 to W044 where it does not fit.
    """
    held = _tensors(spec, graph, path)

    def weight(name: str, param: Param) -> ir.TensorProtocol:
        return stored.lazily(name, param, dtype, partial(held[name].read, name))

    return weight


def by_reference(spec: Spec, graph: Graph, path: Path, folder: Path, dtype: str) -> Weight:
    """The tensors of a checkpoint in or below `folder`, where the model will be; their bytes are not read.

    What lies there in another form than ours is rearranged by nodes of the model. Raises what
    `from_checkpoint` does, and O012 where a file does not lie in the folder: ONNX Runtime refuses others.
    """
    held = _tensors(spec, graph, path)
    places = _Places(folder, dtype)

    def weight(name: str, param: Param) -> ir.TensorProtocol | Callable[[Tape], ir.Value]:
        return places.tensor(held[name], name, param)

    return weight


def _tensors(spec: Spec, graph: Graph, path: Path) -> dict[str, Tensors]:
    """For each of our tensors, the checkpoint that has it."""
    found: dict[str, Tensors] = {}
    for held in held_in(spec, graph, path):
        tensors = Tensors(held)
        tensors.check_ties()
        found |= dict.fromkeys(tensors.names, tensors)
    return found


class _Places:
    """Tensors of a graph that stay in the files of a checkpoint."""

    def __init__(self, folder: Path, dtype: str) -> None:
        self.folder, self.dtype = folder, dtype
        self._made: dict[int, tuple[Recipe, dict[str, Laid]]] = {}

    def tensor(
        self, held: Tensors, name: str, param: Param
    ) -> ir.TensorProtocol | Callable[[Tape], ir.Value]:
        recipe, wanted = held.recipe(name), stored.dtype_of(param, self.dtype)
        at = held.place(recipe.hub[0])
        if not recipe.steps and _dtype(at) == wanted:
            return self._in_place(name, at)
        return lambda tape: self._cast(self._arrays(held, recipe, tape)[held.names[name]], wanted, tape)

    def _arrays(self, held: Tensors, recipe: Recipe, tape: Tape) -> dict[str, Laid]:
        """What becomes of a recipe's tensors, written once for all of them."""

        def read(hub: str, /) -> Laid:
            at = held.place(hub)
            value = tape.initializer(f"checkpoint/{hub}", self._in_place(f"checkpoint/{hub}", at))
            return Laid.of(tape, value, _dtype(at), at.shape)

        if id(recipe) not in self._made:
            self._made[id(recipe)] = recipe, dict(recipe.to_ours(read, cast("Any", Arrays(tape))))
        return self._made[id(recipe)][1]

    def _cast(self, array: Laid, wanted: ir.DataType, tape: Tape) -> ir.Value:
        value = array.written()
        return value if array.dtype == wanted else tape.one("Cast", value, to=int(wanted))

    def _in_place(self, name: str, at: Bytes) -> ir.ExternalTensor:
        file = _inside(at.path, self.folder)
        place = stored.Bytes(file, at.offset, at.length, at.shape, _dtype(at))
        return stored.in_place(name, place, self.folder)


def _dtype(at: Bytes) -> ir.DataType:
    return ir.DataType.from_numpy(numpy_dtype(at.dtype))


def _inside(path: Path, folder: Path) -> str:
    """The path from the folder. Raises WeightsError O012 where it, or what it links to, leads out."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(folder)) or not path.absolute().is_relative_to(
        folder.absolute()
    ):
        message = f"{path} does not lie in {folder}, and a model reads weights only from its own folder"
        hint = "export into the checkpoint's folder, copy what it links to, or leave out --reference"
        raise WeightsError(Diagnostic("O012", message, None, hint))
    return path.absolute().relative_to(folder.absolute()).as_posix()
