"""Attention of all queries to all keys at once: the operator where there is one, else taken apart."""

from __future__ import annotations

from archspec.backends.onnx.place import Place
from archspec.backends.onnx.plain_attention import plain_attention
from archspec.backends.onnx.seen import Seen
from archspec.backends.onnx.standard_attention import standard_attention
from archspec.backends.onnx.tensor import Tensor
from archspec.ir.ops.attention import Attention


def taken_apart(sinks: Tensor | None, place: Place) -> bool:
    """The operator has no sinks."""
    return sinks is not None or not place.profile.has("Attention")


def whole_attention(
    op: Attention,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    seen: Seen,
    place: Place,
    sinks: Tensor | None = None,
    *,
    causal: bool = False,
) -> Tensor:
    """q [B, H, Q, E], k [B, G, K, E], v [B, G, K, W] -> [B, H, Q, W]."""
    if taken_apart(sinks, place):
        return plain_attention(op, q, k, v, seen, place, sinks)
    return standard_attention(op, q, k, v, seen, place, causal=causal)
