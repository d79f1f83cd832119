"""Rotary positions: the operator of ai.onnx, or x cos + x' sin, where pairs of x' are exchanged."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from archspec.backends.onnx.heads import of_rows
from archspec.backends.onnx.place import Place
from archspec.backends.onnx.tensor import Tensor
from archspec.ir.ops.attention import Rope


def rotary(op: Rope, x: Tensor, cos: Tensor, sin: Tensor, place: Place) -> Tensor:
    """x [B, H, S, E] turned by tables [(B,) S, F] as RotaryEmbedding, in rows where x is at hand so."""
    tables = [_per_batch(table, x, place) for table in (cos, sin)]
    turned = 2 * int(cos.type.shape[-1])
    given = {"interleaved": int(op.layout == "interleaved"), "rotary_embedding_dim": turned}
    if x.rows is None:
        return Tensor(x.type, place.one("RotaryEmbedding", x.value, *tables, **given))
    heads = int(x.type.shape[1])
    rows = place.one("RotaryEmbedding", x.rows, *tables, num_heads=heads, **given)
    return of_rows(rows, x.type, place)


def _per_batch(table: Tensor, x: Tensor, place: Place) -> ir.Value:
    """A table [(B,) S, F] as [B, S, F] in the dtype of x, as RotaryEmbedding takes it."""
    value = place.cast(table.value, table.type.dtype, x.type.dtype)
    if table.type.rank == 3:
        return value
    return place.one("Expand", value, place.shape((x.type.shape[0], *table.type.shape)))


def plain_rotary(op: Rope, x: Tensor, cos: Tensor, sin: Tensor, place: Place) -> Tensor:
    """The same in five nodes, or four where pairs stand side by side. All layers read one pair of tables."""
    half = op.layout == "half"
    minus = Tensor(sin.type, lambda: place.one("Neg", sin.value))
    by_cos = _table(cos, cos, 1.0, x, place, half=half)
    by_sin = _table(minus, sin, 0.0, x, place, half=half)
    other = _exchanged(x, int(cos.type.shape[-1]), place, half=half)
    return Tensor(
        x.type, place.one("Add", place.one("Mul", x.value, by_cos), place.one("Mul", other, by_sin))
    )


def _table(first: Tensor, second: Tensor, rest: float, x: Tensor, place: Place, *, half: bool) -> ir.Value:
    """Factors of the first and of the second of each pair, [(B, 1,) S, E]; `rest`: of what is not turned."""
    type_, parts = first.type, [first.value, second.value]
    last = place.tape.integers(-1)
    if half:
        table = place.one("Concat", *parts, axis=-1)
    else:
        pairs = place.one("Concat", *(place.one("Unsqueeze", part, last) for part in parts), axis=-1)
        table = place.one("Reshape", pairs, place.tape.integers(*[0] * (type_.rank - 1), -1))
    beyond = int(x.type.shape[-1]) - 2 * int(type_.shape[-1])
    if beyond:
        amounts = [0] * (2 * type_.rank - 1) + [beyond]
        table = place.one("Pad", table, place.tape.integers(*amounts), place.scalar(rest, type_.dtype))
    table = place.cast(table, type_.dtype, x.type.dtype)
    return place.one("Unsqueeze", table, place.tape.integers(1)) if type_.rank == 3 else table


def _exchanged(x: Tensor, count: int, place: Place, *, half: bool) -> ir.Value:
    """The second of each pair where the first was, and the first where the second was."""
    rest = int(x.type.shape[-1]) - 2 * count
    if half:
        sizes = [count, count, *([rest] if rest else [])]
        first, second, *others = place.tape.op(
            "Split", x.value, place.tape.integers(*sizes), outputs=len(sizes), axis=-1
        )
        return place.one("Concat", second, first, *others, axis=-1)
    order = np.arange(2 * count + rest)
    order[: 2 * count] ^= 1
    return place.one("Gather", x.value, place.tape.integers(*order.tolist()), axis=-1)
