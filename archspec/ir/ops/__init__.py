"""The operations, one file per family. Importing this package registers all of them."""

from archspec.ir.op import REGISTRY
from archspec.ir.ops import (
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
    state,
)

__all__ = [
    "REGISTRY",
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
    "state",
]
