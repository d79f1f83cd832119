"""How each operation is written in ONNX, one file per family. Importing this package fills `RULES`."""

from archspec.backends.onnx.ops import (
    attention,
    contract,
    einsum,
    elementwise,
    functions,
    loss,
    move,
    norm,
    recurrence,
    reduce,
    shape,
    source,
    spatial,
    state,
)
from archspec.backends.onnx.place import RULES

__all__ = [
    "RULES",
    "attention",
    "contract",
    "einsum",
    "elementwise",
    "functions",
    "loss",
    "move",
    "norm",
    "recurrence",
    "reduce",
    "shape",
    "source",
    "spatial",
    "state",
]
