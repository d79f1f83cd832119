"""A structure's kernels in the interpreter, held against the reference; what nobody wrote is NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from archspec.backends.torch.kernels.module import KernelFile, kernel_file
from archspec.backends.torch.runtime.load import module_from_source
from tests.backends.torch.kernels import interpreter as interpreter  # repairs what runs the kernels
from tests.backends.torch.kernels.operands import Operands, operands
from tests.backends.torch.kernels.reference import attended, pairs, weights
from tests.backends.torch.kernels.structures import Shape, Structure, Table

TOLERANCE = {torch.float32: 2e-5, torch.float16: 5e-3, torch.bfloat16: 2e-2}

Call: TypeAlias = Callable[[Operands], Tensor]


@contextmanager
def poisoned() -> Generator[None]:
    """Memory that is not written is NaN: torch fills it in its deterministic mode."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        assert torch.empty(3).isnan().all()
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # what does not count
            yield
    finally:
        torch.use_deterministic_algorithms(False)


@lru_cache(maxsize=256)
def _loaded(file: KernelFile) -> ModuleType:
    """Under a name of its own: models load the file too, and of two operations of a name torch drops one."""
    name = f"{file.name}_held"
    return module_from_source(file.text.replace(file.name, name), name)


def loaded(file: KernelFile, M: int, N: int) -> Any:
    """The module of a file, with tiles of M queries and N keys."""
    module = _loaded(file)
    chosen = vars(module)["Tiles"](M, N)

    def tiles(*_: object) -> Any:
        return chosen

    vars(module)["tiles"] = tiles
    return module


def kernels(given: Structure, M: int = 16, N: int = 32, file: KernelFile | None = None) -> Call:
    """What calls the structure's kernels, those of its own file or of another one."""
    module = loaded(file or kernel_file(given.description()), M, N)
    named: dict[str, Any] = {"cap": given.cap} if given.cap is not None else {}

    def call(x: Operands) -> Tensor:
        sinks = {"sinks": x.sinks} if x.sinks is not None else {}
        looked_up = (*x.tables.values(), *given.numbers.values())
        return module.attention(x.q, x.k, x.v, *looked_up, **named, **sinks, start=given.shape.start)

    return call


def reference(given: Structure) -> Call:
    """The same by brute force."""
    s = given.shape

    def call(x: Operands) -> Tensor:
        tables = {word: _spread(t, given.tables[word], s) for word, t in x.tables.items() if t is not None}
        absent = tuple(f"{word}[" for word, t in x.tables.items() if t is None)
        terms = [term for term in (given.rule or "true").split(" and ") if not term.startswith(absent)]
        seen, score = " and ".join(terms) or "true", given.score
        scope = {**given.numbers, **tables}
        size = (s.B, s.H, s.Q, s.K)
        added = pairs(score, scope, size, s.start) if score and not score.startswith(absent) else None
        counts = pairs(seen, scope, size, s.start).bool()
        return attended(x.q, x.k, x.v, lambda products: weights(products, counts, added, given.cap, x.sinks))

    return call


def _spread(x: Tensor, what: Table, shape: Shape) -> Tensor:
    """A table with one element along an axis for all places there."""
    lengths = {"b": shape.B, "h": shape.H}
    places = "bhqk"[-x.ndim :] if x.ndim == 4 else ""
    sizes = [lengths.get(place, x.shape[axis]) for axis, place in enumerate(places)]
    return x.expand(sizes) if sizes else x


def results(call: Call, x: Operands, grad: Callable[[Tensor], Tensor] | None = None) -> dict[str, Tensor]:
    """What a call returns, and the gradients of all operands of floats; `grad` is made of the result."""
    leaves = [leaf.requires_grad_() for leaf in x.floats.values()]
    out = call(x)
    torch.manual_seed(7)
    given = torch.randn(out.shape).to(out.dtype) if grad is None else grad(out)
    found = torch.autograd.grad(out, leaves, given)
    return {"out": out.detach(), **dict(zip(x.floats, found, strict=True))}


def errors(
    given: Structure,
    dtype: torch.dtype = torch.float32,
    M: int = 16,
    N: int = 32,
    file: KernelFile | None = None,
    grad: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, float]:
    """Errors of the result and of each gradient, as parts of the largest element of what is right."""
    x = operands(given, dtype)
    true = results(reference(given), x.wide(), grad)
    with poisoned():
        found = results(kernels(given, M, N, file), x, grad)
    return {word: _distance(found[word], true[word]) for word in true}


def _distance(found: Tensor, true: Tensor) -> float:
    """Infinite for NaN."""
    assert found.shape == true.shape
    far, most = (found.double() - true).abs().max().item(), true.abs().max().item()
    return math.inf if math.isnan(far) else far / (most or 1.0)


def check(given: Structure, dtype: torch.dtype = torch.float32, M: int = 16, N: int = 32) -> None:
    """Asserts that the result and all gradients are within the tolerance of the type."""
    found = errors(given, dtype, M, N)
    assert all(error <= TOLERANCE[dtype] for error in found.values()), found
