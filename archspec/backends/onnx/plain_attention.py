"""Attention taken apart: products, a softmax, and what stands between them."""

from __future__ import annotations

import onnx_ir as ir

from archspec.backends.onnx.place import Place
from archspec.backends.onnx.seen import Seen, lowest_of
from archspec.backends.onnx.tensor import Tensor
from archspec.dims import num as n
from archspec.ir.ops.attention import Attention

WIDE = "float32"


def plain_attention(
    op: Attention, q: Tensor, k: Tensor, v: Tensor, seen: Seen, place: Place, sinks: Tensor | None = None
) -> Tensor:
    """q [B, H, Q, E], k [B, G, K, E], v [B, G, K, W] -> [B, H, Q, W]; the softmax is in fp32."""
    heads, groups = int(q.type.shape[1]), int(k.type.shape[1])
    shared = heads != groups
    by_pair = seen.mask is not None or seen.added is not None or sinks is not None
    queries = _scaled(op, q, place)
    queries = _with_heads(queries, groups, place, -1, 0) if shared else queries
    scores = place.one("MatMul", queries, place.one("Transpose", k.value, perm=(0, 1, 3, 2)))
    scores = _capped(op, place.cast(scores, "float", WIDE), place)
    scores = _with_heads(scores, heads, place, -1, 0) if shared and by_pair else scores
    weights = _weights(_masked(scores, seen, place), sinks, q, place)
    weights = _with_heads(weights, groups, place, -1, 0) if shared and by_pair else weights
    out = place.one("MatMul", place.cast(weights, WIDE, "float"), v.value)
    type_ = q.type.with_shape(*q.type.shape[:3], v.type.shape[3])
    return Tensor(type_, _with_heads(out, heads, place, -1, 0) if shared else out)


def _scaled(op: Attention, q: Tensor, place: Place) -> ir.Value:
    """The queries, fewer numbers than the scores, times the scale; what is capped is divided by the cap."""
    factor = op.scale.real / (op.softcap.real if op.softcap is not None else 1.0)
    return q.value if factor == 1 else place.one("Mul", q.value, place.scalar(factor, "float"))


def _capped(op: Attention, scores: ir.Value, place: Place) -> ir.Value:
    if op.softcap is None:
        return scores
    return place.one("Mul", place.one("Tanh", scores), place.scalar(op.softcap.real, WIDE))


def _masked(scores: ir.Value, seen: Seen, place: Place) -> ir.Value:
    """Cap, then bias, then mask."""
    added = seen.numbers(place)
    if added is not None:
        return place.one("Add", scores, place.cast(added.value, added.dtype, WIDE))
    if seen.mask is None:
        return scores
    return place.one("Where", seen.mask, scores, place.scalar(lowest_of(place, WIDE), WIDE))


def _weights(scores: ir.Value, sinks: Tensor | None, q: Tensor, place: Place) -> ir.Value:
    """The softmax, beside one more column of scores where there are sinks [H]."""
    if sinks is None:
        return place.one("Softmax", scores, axis=-1)
    column = place.one(
        "Reshape", place.cast(sinks.value, sinks.type.dtype, WIDE), place.tape.integers(-1, 1, 1)
    )
    column = place.one("Expand", column, place.shape((*q.type.shape[:3], n.num(1))))
    weights = place.one("Softmax", place.one("Concat", scores, column, axis=-1), axis=-1)
    ends = (place.tape.integers(x) for x in (0, -1, -1))
    return place.one("Slice", weights, *ends)


def _with_heads(x: ir.Value, heads: int, place: Place, *rest: int) -> ir.Value:
    """The same rows [B, heads, ...]: those of a group's query heads stand together."""
    return place.one("Reshape", x, place.tape.integers(0, heads, *rest))
