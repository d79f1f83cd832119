"""What is measured of a module: a forward pass, one step of decoding, one step of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from archspec.measuring.observe import backward, run_of

Inputs = Mapping[str, Tensor]


def _nothing() -> None:
    """Nothing has to be set back."""


@dataclass(frozen=True, slots=True)
class Workload:
    """`call` runs once; `before` each run sets back what the last one changed."""

    call: Callable[[], object]
    before: Callable[[], None] = _nothing


def forward(module: nn.Module, given: Inputs) -> Workload:
    """A pass without gradients."""

    def call() -> object:
        with torch.no_grad():
            return module(**given)

    return Workload(call)


def decoding(module: nn.Module, prompt: Inputs, token: Inputs, past: int) -> Workload:
    """One token behind `past` others, each time at the same place."""
    cache = cast("Any", module).make_cache(past + 1)
    with torch.no_grad():
        module(**prompt, cache=cache)
    lengths = [(one, one.length) for one in _parts(cache) if hasattr(one, "length")]

    def call() -> object:
        with torch.no_grad():
            return module(**token, cache=cache)

    def back() -> None:
        for one, length in lengths:
            one.length = length

    return Workload(call, back)


def training(module: nn.Module, given: Inputs, loss: str | None, autocast: str | None) -> Workload:
    """Forward, backward, and an update by AdamW."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-6)
    run = run_of(module, loss, autocast)

    def call() -> None:
        backward(run(**given))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return Workload(call)


def _parts(cache: Any) -> Iterator[Any]:
    """What a cache holds, which is nested in tuples and lists."""
    if isinstance(cache, (tuple, list)):
        for part in cast("tuple[Any, ...]", cache):
            yield from _parts(part)
    else:
        yield cache
