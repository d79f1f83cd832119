"""fvcore's count of a module, in our convention.

fvcore (github.com/facebookresearch/fvcore) prints multiply-adds under the name flops, so products count twice
here. What it adds for norms and pooling is left out: these are no products. What it knows nothing of, such as
fused attention, it counts as nothing; those operations are named.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from archspec.backends.torch.observed import Other

_PRODUCTS = ("addmm", "addmv", "bmm", "conv", "einsum", "linear", "matmul", "mm", "mv")


def installed() -> bool:
    return find_spec("fvcore") is not None


def fvcore_count(module: nn.Module, inputs: Mapping[str, Tensor]) -> Other | str:
    """What it counts, or, as text, why it cannot: it traces a module, which not all survive."""
    counting: Any = import_module("fvcore.nn")
    analysis = counting.FlopCountAnalysis(_Positional(module, list(inputs)), tuple(inputs.values()))
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            counted: Mapping[str, float] = analysis.by_operator()
            skipped: Mapping[str, int] = analysis.unsupported_ops()
    except (RuntimeError, TypeError, ValueError) as error:
        return f"fvcore cannot trace it: {str(error).strip().splitlines()[0]}"
    flops = sum(int(2 * macs) for name, macs in counted.items() if name in _PRODUCTS)
    return Other(flops, {name.removeprefix("aten::"): times for name, times in skipped.items()})


class _Positional(nn.Module):
    """A module whose inputs come in order, as a trace gives them."""

    def __init__(self, module: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.module, self.names = module, names

    def forward(self, *inputs: Tensor) -> Any:
        return self.module(**dict(zip(self.names, inputs, strict=True)))
