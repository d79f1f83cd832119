"""How one attention is computed in a profile."""

from __future__ import annotations

from archspec.backends.onnx.banded import banded
from archspec.backends.onnx.chosen_attention import chosen_attention
from archspec.backends.onnx.grouped_attention import grouped_attention
from archspec.backends.onnx.pairs import Pairs
from archspec.backends.onnx.place import Args, Place, operand, optional
from archspec.backends.onnx.seen import rules_of, seen
from archspec.backends.onnx.standard_attention import flagged
from archspec.backends.onnx.tensor import Tensor
from archspec.backends.onnx.whole_attention import taken_apart, whole_attention
from archspec.ir.ops.attention import Attention


def attend(op: Attention, args: Args, place: Place) -> Tensor:
    """The whole attention of one operation."""
    q, k, v, bias, sinks = (*(operand(args, i) for i in range(3)), optional(args, 3), optional(args, 4))
    rules = rules_of(op, args)
    if place.profile.contrib and bias is None:
        grouped = grouped_attention(op, q, k, v, rules, sinks, place)
        if grouped is not None:
            return grouped
    few = chosen_attention(op, q, k, v, rules, place) if bias is None and sinks is None else None
    if few is not None:
        return few
    by_blocks = banded(op, q, k, v, rules, sinks, place) if bias is None else None
    if by_blocks is not None:
        return by_blocks
    sizes = dict(zip("bhqk", (*q.type.shape[:3], k.type.shape[2]), strict=True))
    pairs = Pairs(place, rules.tensors, dict(op.names), sizes, op.start)
    causal = not taken_apart(sinks, place) and flagged(op, rules, k, v, place)
    return whole_attention(op, q, k, v, seen(rules, bias, pairs, flagged=causal), place, sinks, causal=causal)
