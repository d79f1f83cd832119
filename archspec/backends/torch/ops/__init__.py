"""How each operation is written in PyTorch, one file per family. Importing this package fills `RULES`."""

from archspec.backends.torch.ops import (
    attention,
    contract,
    elementwise,
    loss,
    norm,
    recurrence,
    reduce,
    shape,
    source,
    spatial,
)
from archspec.backends.torch.ops.rules import RULES

__all__ = [
    "RULES",
    "attention",
    "contract",
    "elementwise",
    "loss",
    "norm",
    "recurrence",
    "reduce",
    "shape",
    "source",
    "spatial",
]
