"""Experts side by side: each runs on those rows alone that give it a weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from archspec.backends.onnx.sizes import Sizes
from archspec.backends.onnx.tape import Tape
from archspec.backends.onnx.tensor import Tensor
from archspec.dims import num as n
from archspec.ir.graph import Repeat
from archspec.ir.types import TensorType

Tensors = Sequence[Tensor | None]
Run = Callable[[int, Tensors], Tensors]
SUMMED = ir.DataType.FLOAT


def experts(
    node: Repeat, given: Tensors, tape: Tape, sizes: Sizes, dtype: ir.DataType, run: Run
) -> Tensor:  # fmt: skip
    """What experts give for the rows [..., D] with gates [..., experts] that are not 0, summed: [..., W].

    `run(e, inputs)` writes expert e. All pairs of an expert and a row are found at once, in the order of the
    experts; each takes its share, which may be empty, and adds its results to those of the ones before. One
    sum over all pairs would be a race in ONNX Runtime: its ScatterND adds in parallel, also to equal rows.
    It adds no float16 at all, so sums are kept in float32; `dtype` is that of the result.
    """
    x, gates, *same = given
    assert x is not None, "experts take rows"
    assert gates is not None, "experts take gates"
    assert node.rows is not None, "experts have a name for the number of their rows"
    width, out = x.type.shape[-1], node.outputs[0].type
    by_row = _flat(x.value, width.value, tape)
    pairs = _pairs(_flat(gates.value, len(node.schedule), tape), len(node.schedule), tape)
    total = _zeros(by_row, out, sizes, tape)
    for expert, (at, gate) in enumerate(pairs):
        label, name = tape.unique(node.rows), f"{node.name}.{expert}"
        chosen = tape.one("GatherND", by_row, at, name=f"{name}.rows")
        with sizes.inside(node.rows, (at, 0), label):
            inputs = [_as_rows(x, chosen, node.rows, int(width)), _as_rows(gates, gate, node.rows, 1)]
            (result,) = run(expert, [*inputs, *same])
        assert result is not None, "an expert gives rows"
        found = result.value if dtype == SUMMED else tape.one("Cast", result.value, to=int(SUMMED))
        total = tape.one("ScatterND", total, at, found, reduction="add", name=f"{name}.sum")
    total = total if dtype == SUMMED else tape.one("Cast", total, to=int(dtype))
    shape = sizes.joined([*(sizes.of(size) for size in out.shape[:-1]), -1]) if len(out.shape) != 2 else None
    return Tensor(out, tape.one("Reshape", total, shape) if shape is not None else total)


def _as_rows(like: Tensor, value: ir.Value, rows: str, width: int) -> Tensor:
    return Tensor(TensorType(like.type.dtype, (n.symbol(rows), n.num(width))), value)


def _flat(value: ir.Value, width: object, tape: Tape) -> ir.Value:
    """[..., width] as [rows, width]."""
    assert isinstance(width, int), "a width is known"
    return tape.one("Reshape", value, tape.integers(-1, width))


def _pairs(gates: ir.Value, count: int, tape: Tape) -> list[tuple[ir.Value, ir.Value]]:
    """Of each expert: the places [rows, 1] of its rows, and their gates [rows, 1].

    `gates` are [all rows, experts].
    """
    by_expert = tape.one("Transpose", gates, perm=(1, 0))
    taken = tape.one("Cast", by_expert, to=int(ir.DataType.BOOL))
    places = tape.one("Transpose", tape.one("NonZero", taken), perm=(1, 0))
    weights = tape.one("Unsqueeze", tape.one("GatherND", by_expert, places), tape.integers(1))
    whole = tape.one("Cast", taken, to=int(ir.DataType.INT64))
    counts = tape.one("ReduceSum", whole, tape.integers(1), keepdims=0)
    rows = tape.one("Gather", places, tape.integers(1), axis=1)
    if count == 1:
        return [(rows, weights)]
    split = [tape.op("Split", each, counts, outputs=count, axis=0) for each in (rows, weights)]
    return list(zip(*split, strict=True))


def _zeros(rows: ir.Value, out: TensorType, sizes: Sizes, tape: Tape) -> ir.Value:
    """Zeros [rows, W]."""
    count = tape.one("Shape", rows, start=0, end=1)
    shape = sizes.joined([count, sizes.of(out.shape[-1])])
    return tape.one("Expand", tape.constant(np.zeros(1, dtype=SUMMED.numpy())), shape)


__all__ = ["experts"]
