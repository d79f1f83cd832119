"""Attention of a decoder as ONNX Runtime's GroupQueryAttention, which keeps the cache in one buffer.

It takes lengths for a mask: row b of the batch has its first `seqlens_k[b] + 1` keys, and a new key goes
behind them, so that a window counts a row's own tokens. Padding is on the right: with padding on the left the
results are wrong, and ONNX Runtime 1.31 does not say so. More than one new token at once, in a batch, behind
a past, it refuses. Only the profile `genai` comes here, whose client does neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from archspec.backends.onnx.heads import of_rows, rows_of
from archspec.backends.onnx.place import Place
from archspec.backends.onnx.seen import CAUSAL, Rules
from archspec.backends.onnx.tensor import Tensor
from archspec.dims import num as n
from archspec.dims.expr import Binary, Expr, Index, Name, write
from archspec.ir.ops.attention import Attention
from archspec.ir.scope import PAST

EVERYTHING = -1
EVEN = 8  # ONNX Runtime takes heads of a multiple of so many features


@dataclass(frozen=True, slots=True)
class Lengths:
    """What the operator can say of a mask besides `k <= q`: a window, and keys that are padding."""

    window: int = EVERYTHING
    padding: Tensor | None = None


def grouped_attention(
    op: Attention, q: Tensor, k: Tensor, v: Tensor, rules: Rules, sinks: Tensor | None, place: Place
) -> Tensor | None:
    """q [B, H, Q, E], k and v of a cache [B, G, past + Q, E] -> [B, H, Q, E]; None where it does not fit."""
    lengths = _lengths(op, rules)
    cached = k.grown is not None and v.grown is not None and place.same(op.start, n.symbol(PAST))
    fits = cached and rules.score is None and place.same(k.type.shape[3], v.type.shape[3])
    fits = fits and int(k.type.shape[3]) % EVEN == 0
    if lengths is None or not fits or k.grown is None or v.grown is None or _refused(q, place):
        return None
    rows = [rows_of(x, place) for x in (q, k.grown.new, v.grown.new)]
    counts = _counts(lengths, k, place)
    nothing = [None] * 4 + [sinks.value] if sinks is not None else []
    given = _attributes(op, lengths, int(q.type.shape[1]), int(k.type.shape[1]))
    out, *present = place.tape.op(
        "GroupQueryAttention", *rows, k.grown.past, v.grown.past, *counts, *nothing,
        outputs=3, domain="com.microsoft", **given,
    )  # fmt: skip
    for grown, value in zip((k.grown, v.grown), present, strict=True):
        place.states.leave(grown.state, grown.index, value)
    return of_rows(out, q.type, place)


def _refused(q: Tensor, place: Place) -> bool:
    """Whether several tokens at once are known to come in a batch."""
    batch, queries = (place.size(q.type.shape[i]) for i in (0, 2))
    return isinstance(batch, int) and isinstance(queries, int) and batch > 1 and queries > 1


def _lengths(op: Attention, rules: Rules) -> Lengths | None:
    """None where the mask says something else, or is not causal."""
    rest = [term for term in rules.terms if write(term) not in CAUSAL]
    found = Lengths()
    for term in rest:
        window, padding = _window(term, op), _padding(term, rules)
        if window is not None and found.window == EVERYTHING:
            found = Lengths(window, found.padding)
        elif padding is not None and found.padding is None:
            found = Lengths(found.window, padding)
        else:
            return None
    return found if len(rest) < len(rules.terms) else None


def _window(term: Expr, op: Attention) -> int | None:
    """w of `q - k < w`."""
    match term:
        case Binary(op="<", left=Binary(op="-", left=Name(id="q"), right=Name(id="k")), right=Name(id=word)):
            size = dict(op.names).get(word)
            return int(size) if size is not None and isinstance(size.value, int) else None
        case _:
            return None


def _padding(term: Expr, rules: Rules) -> Tensor | None:
    """t of `t[b, k]`."""
    whole = isinstance(term, Index) and isinstance(term.base, Name) and write(term).endswith("[b, k]")
    return (
        rules.tensors[term.base.id]
        if whole and isinstance(term, Index) and isinstance(term.base, Name)
        else None
    )


def _counts(lengths: Lengths, k: Tensor, place: Place) -> list[ir.Value]:
    """The place of each row's last key [B], and the length of the longest row, in int32."""
    keys = place.sizes.tensor(k.type.shape[2])
    if lengths.padding is None:
        held = place.one("Expand", keys, place.shape(k.type.shape[:1]))
    else:
        there = place.cast(lengths.padding.value, lengths.padding.type.dtype, "int64")
        held = place.one("ReduceSum", there, place.tape.integers(1), keepdims=0)
    last = place.one("Sub", held, place.tape.integers(1))
    return [place.cast(last, "int64", "int32"), place.cast(place.one("Squeeze", keys), "int64", "int32")]


def _attributes(op: Attention, lengths: Lengths, heads: int, groups: int) -> dict[str, Any]:
    given: dict[str, Any] = {"num_heads": heads, "kv_num_heads": groups, "scale": op.scale.real}
    given |= {"local_window_size": lengths.window} if lengths.window != EVERYTHING else {}
    return given | ({"softcap": op.softcap.real} if op.softcap is not None else {})
