"""Inputs of several sizes and what a model says to them: made here, or recorded in a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np

from archspec.analysis.positions import check_positions
from archspec.analysis.sizes import Sizes
from archspec.atomic import replacing
from archspec.dims.num import reads
from archspec.errors import ArchspecError, Diagnostic
from archspec.ir.graph import Graph, Value
from archspec.ir.types import is_float
from archspec.reports.lookups import limits

Array: TypeAlias = np.ndarray[Any, Any]
Model: TypeAlias = Callable[[Mapping[str, Array]], dict[str, Array]]

BATCHES = (1, 2, 3)
LENGTHS = ((1, 7, 16), (1, 2, 3), (1, 3, 5), (33, 40, 65), (70, 96, 131), (400, 733, 1025))
"""Lengths for the three cases, best first: those are taken that the model can compute."""


@dataclass(frozen=True, slots=True)
class Case:
    """Inputs and outputs by their names in the graph, at these sizes."""

    sizes: Mapping[str, int]
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


def make(
    graph: Graph, names: Collection[str], model: Model, fixed: Mapping[str, int], *, padded: bool = True,
    constant: Mapping[str, Sequence[int]] | None = None,
) -> tuple[Case, ...]:  # fmt: skip
    """Three cases with different batch and length, or at `fixed` sizes with different numbers.

    `names` are the inputs to give; `padded`: a row is, on the right; `constant`: inputs that hold one number
    throughout, and that of each case. Raises ArchspecError O006 where no sizes
    were found that the model takes.
    """
    of_each = [
        {name: numbers[at] for name, numbers in (constant or {}).items()} for at in range(len(BATCHES))
    ]
    return tuple(_case(graph, names, model, fixed, at, padded, of_each[at]) for at in range(len(BATCHES)))


def _case(
    graph: Graph, names: Collection[str], model: Model, fixed: Mapping[str, int], at: int, padded: bool,
    constant: Mapping[str, int],
) -> Case:  # fmt: skip
    reason = ""
    for lengths in _lengths(graph):
        sizes = {**_sizes(graph, BATCHES[at], lengths[at]), **fixed}
        try:
            known = Sizes.of(graph, sizes)
            check_positions(graph, known)
            given = inputs(graph, names, known, seed=at, padded=padded)
            given |= {name: np.full_like(given[name], number) for name, number in constant.items()}
            return Case(sizes, given, model(given))
        except (RuntimeError, ArchspecError) as error:  # torch refuses sizes that leave nothing to compute
            reason = reason or str(error).strip().splitlines()[0]
    message = f"{graph.name} does not run at any of the sizes that were tried: {reason}"
    hint = "fix some with SIZE=NUMBER, give --case FILE, or --no-verify"
    raise ArchspecError(Diagnostic("O006", message, None, hint))


def _lengths(graph: Graph) -> Sequence[tuple[int, int, int]]:
    """Images of any size are small: a length counts on both sides, and often for many pixels."""
    areas = any(sum(not size.static for size in value.type.shape[1:]) > 1 for value in graph.inputs)
    return LENGTHS if not areas else sorted(LENGTHS)


def _sizes(graph: Graph, batch: int, length: int) -> dict[str, int]:
    """Sizes that are only ever a first axis count samples; the others differ a little from each other."""
    inner = {name for value in graph.inputs for size in value.type.shape[1:] for name in reads(size)}
    lengths = (name for name in graph.dims if name in inner)
    found = {name: length + i * (length > 1) for i, name in enumerate(lengths)}
    return {name: found.get(name, batch) for name in graph.dims}


def inputs(
    graph: Graph, names: Collection[str], sizes: Sizes, seed: int, *, padded: bool = True
) -> dict[str, Array]:
    """The same for a seed: normal numbers, ids of the tables they are looked up in, else ones and padding."""
    random, rows = np.random.default_rng(seed), limits(graph, sizes.values)
    taken = [value for value in graph.inputs if value.name in names]
    return {value.name: _drawn(value, sizes, rows.get(value.name), random, padded) for value in taken}


def _drawn(value: Value, sizes: Sizes, rows: int | None, random: np.random.Generator, padded: bool) -> Array:
    shape = tuple(int(sizes.size(size)) for size in value.type.shape)  # pyright: ignore[reportArgumentType]
    dtype = "float32" if value.type.dtype == "float" else value.type.dtype
    if is_float(value.type.dtype):
        return random.standard_normal(shape).astype(dtype)
    if rows is not None:
        return random.integers(rows, size=shape).astype(dtype)
    return _ones(shape, padded).astype(dtype)


def _ones(shape: Sequence[int], padded: bool) -> Array:
    """Ones; the last row of several ends in two zeros, as where it is padded on the right.

    No more of them: a query that a window lets see nothing but padding says nothing that could be compared.
    """
    ones = np.ones(shape, dtype=np.int64)
    if padded and len(shape) == 2 and shape[0] > 1 and shape[1] > 2:
        ones[-1, -2:] = 0
    return ones


def save(cases: Sequence[Case], path: Path) -> None:
    """Writes cases as an `.npz` file. Raises ArchspecError F001, F002."""
    arrays = {
        f"{i}/{kind}/{name}": array
        for i, case in enumerate(cases)
        for kind, given in (("input", case.inputs), ("output", case.outputs))
        for name, array in given.items()
    }
    with replacing(path) as scratch, scratch.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load(graph: Graph, path: Path) -> tuple[Case, ...]:
    """The cases of a file. Raises ArchspecError O007 where it cannot be read, or is of another model."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise _unreadable(path, str(error)) from error
    numbers = sorted({name.split("/")[0] for name in arrays})
    cases = tuple(Case({}, *_of(arrays, number)) for number in numbers)
    known = {value.name for value in graph.inputs}, {name for name, _ in graph.outputs}
    for case in cases:
        foreign = sorted({*case.inputs} - known[0] | {*case.outputs} - known[1])
        if foreign or not case.outputs:
            raise _unreadable(
                path, f"{graph.name} has no {', '.join(foreign)}" if foreign else "it has no outputs"
            )
    if not cases:
        raise _unreadable(path, "it has no case")
    return cases


def _of(arrays: Mapping[str, Array], number: str) -> Iterator[dict[str, Array]]:
    for kind in ("input", "output"):
        start = f"{number}/{kind}/"
        yield {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}


def _unreadable(path: Path, reason: str) -> ArchspecError:
    hint = "write one where torch is installed: archspec export SPEC … --record FILE"
    return ArchspecError(Diagnostic("O007", f"{path} holds no cases for this model: {reason}", None, hint))
