"""Attention as the operator of ai.onnx (opset 23), which takes caches, shared keys, cap and mask itself.

The cap acts before mask and bias (onnx 1.23's reference, and ONNX Runtime 1.31 for all versions), `is_causal`
counts queries from the end of the past, and a row that sees nothing is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from archspec.backends.onnx.heads import of_rows
from archspec.backends.onnx.place import Place
from archspec.backends.onnx.seen import Rules, Seen
from archspec.backends.onnx.tensor import Grown, Tensor
from archspec.dims import num as n
from archspec.ir.ops.attention import Attention
from archspec.ir.scope import PAST

FLOAT32 = 1


def flagged(op: Attention, rules: Rules, k: Tensor, v: Tensor, place: Place) -> bool:
    """Whether `is_causal` says what the mask says: it counts from the end of the operator's past."""
    held = n.symbol(PAST) if past_of(k, v) else n.num(0)
    return rules.causal and place.same(op.start, held)


def standard_attention(
    op: Attention, q: Tensor, k: Tensor, v: Tensor, seen: Seen, place: Place, *, causal: bool = False
) -> Tensor:
    """q [B, H, Q, E], k [B, G, K, E], v [B, G, K, W] -> [B, H, Q, W], in rows where all three are."""
    y, present = attention_node(op, q, k, v, seen, place, causal=causal)
    leave(k, v, present, place)
    return y


def leave(k: Tensor, v: Tensor, present: Sequence[ir.Value], place: Place) -> None:
    """What caches hold next, if that is what k and v are."""
    for grown, value in zip(past_of(k, v) or (), present, strict=True):
        place.states.leave(grown.state, grown.index, value)


def attention_node(
    op: Attention, q: Tensor, k: Tensor, v: Tensor, seen: Seen, place: Place, *, causal: bool = False
) -> tuple[Tensor, Sequence[ir.Value]]:
    """The result, and what the caches of k and v hold next."""
    heads, groups, past = int(q.type.shape[1]), int(k.type.shape[1]), past_of(k, v)
    new = [past[0].new, past[1].new] if past else [k, v]
    caches = [past[0].past, past[1].past] if past else []
    rows = [x.rows for x in (q, *new)]
    flat = all(row is not None for row in rows)
    given = _attributes(op, place, causal=causal)
    given |= {"q_num_heads": heads, "kv_num_heads": groups} if flat else {}
    inputs = rows if flat else [x.value for x in (q, *new)]
    mask = mask_of(seen, q, k, place)
    out, *present = place.tape.op("Attention", *inputs, mask, *caches, outputs=3 if past else 1, **given)
    type_ = q.type.with_shape(*q.type.shape[:3], v.type.shape[3])
    return of_rows(out, type_, place) if flat else Tensor(type_, out), present


def _attributes(op: Attention, place: Place, *, causal: bool) -> dict[str, Any]:
    given: dict[str, Any] = {"scale": op.scale.real}
    given |= {"softcap": op.softcap.real} if op.softcap is not None else {}
    given |= {"is_causal": 1} if causal else {}
    return given | ({"softmax_precision": FLOAT32} if place.profile.dtype != "float32" else {})


def mask_of(seen: Seen, q: Tensor, k: Tensor, place: Place) -> ir.Value | None:
    """Booleans, or what is added. ONNX Runtime does not broadcast it over queries or keys."""
    added = seen.numbers(place)
    found = added.value if added is not None else seen.mask
    if found is None or seen.wide:
        return found
    return place.one("Expand", found, place.shape((q.type.shape[2], k.type.shape[2])))


def past_of(k: Tensor, v: Tensor) -> tuple[Grown, Grown] | None:
    """Caches of both keys and values, which the operator then keeps."""
    return (k.grown, v.grown) if k.grown and v.grown else None
