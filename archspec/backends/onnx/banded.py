"""When attention goes by blocks: where its mask reaches only near keys, and there are many keys.

What ONNX Runtime 1.31 gains by it, and where it starts to: docs/decisions/0019-onnx.md.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import onnx_ir as ir

from archspec.backends.onnx.bands import Band, Blocks
from archspec.backends.onnx.block_attention import Banded, block_attention, block_mask, blocks_of
from archspec.backends.onnx.branch import either
from archspec.backends.onnx.heads import grown_of, of_rows, rows_of
from archspec.backends.onnx.pairs import Pairs
from archspec.backends.onnx.place import Place
from archspec.backends.onnx.plain_attention import plain_attention
from archspec.backends.onnx.seen import Rules, seen, seen_in, value_of
from archspec.backends.onnx.standard_attention import attention_node, leave, past_of
from archspec.backends.onnx.tensor import Tensor
from archspec.backends.onnx.whole_attention import taken_apart
from archspec.dims.expr import Expr, Index, Name, write
from archspec.ir.ops.attention import Attention
from archspec.ir.reach import reach_of

FEWEST = 16  # queries behind a past for which keys of a window are worth being copied


def banded(
    op: Attention, q: Tensor, k: Tensor, v: Tensor, rules: Rules, sinks: Tensor | None, place: Place
) -> Tensor | None:
    """The attention, by blocks where there are keys enough when it runs; None where its mask reaches far."""
    reach = reach_of(rules.mask, dict(op.names)) if rules.mask is not None else None
    if reach is None or reach.before is None or reach.after is None:
        return None
    picks = [_picked(part, rules, k, place) for part in reach.picked]
    found = [pick for pick in picks if pick is not None]
    if len(found) < len(picks):
        return None
    far = reduce(lambda a, b: place.one("Or", a, b), found) if found else None
    band = Band(
        q.type.shape[0], q.type.shape[2], k.type.shape[2], op.start, reach.before.value, reach.after.value
    )
    return _chosen(Banded(op, q, k, v, rules, sinks, band, far), place)


def _picked(part: Expr, rules: Rules, k: Tensor, place: Place) -> ir.Value | None:
    """The tensor [B, K] that `t[b, k]` looks up, as booleans."""
    if not isinstance(part, Index) or not isinstance(part.base, Name):
        return None
    tensor = rules.tensors[part.base.id]
    fits = place.same(tensor.type.shape[1], k.type.shape[2])
    return place.cast(tensor.value, tensor.type.dtype, "bool") if fits else None


def _chosen(given: Banded, place: Place) -> Tensor | None:
    """By blocks, at once, or what the lengths say when it runs."""
    keys, queries = place.size(given.band.keys), place.size(given.band.queries)
    if (isinstance(queries, int) and queries < FEWEST) or (
        isinstance(keys, int) and keys <= given.band.enough
    ):
        return None
    if isinstance(keys, int):
        return _at_once(given.without_cache(), place)
    many = place.one("Greater", keys, place.tape.integers(given.band.enough))
    if not place.same(given.band.queries, given.band.keys) and not isinstance(queries, int):
        enough = place.one("GreaterOrEqual", queries, place.tape.integers(FEWEST))
        many = place.one("And", many, enough)
    return _either(given, many, place)


def _either(given: Banded, many: ir.Value, place: Place) -> Tensor:
    """By blocks where `many`. The operator that keeps a cache itself stands in a branch, with the cache."""
    kept = past_of(given.k, given.v) is not None and not taken_apart(given.sinks, place)
    given = given if kept else given.without_cache()
    blocks = blocks_of(given, place)

    made = place.tape.once(_key(given), lambda: _either_mask(given, blocks, many, place))
    rows_of(given.q, place)  # on this side of the branches
    rows, *present = either(
        many,
        lambda at: _by_blocks(given, blocks, made, at),
        lambda at: _whole(given, made, at),
        place,
        "attention",
    )
    leave(given.k, given.v, present, place)
    return of_rows(rows, given.type, place)


def _either_mask(given: Banded, blocks: Blocks, many: ir.Value, place: Place) -> ir.Value:
    (found,) = either(
        many, lambda at: [block_mask(given, blocks, at)], lambda at: [_mask(given, at)], place, "mask"
    )
    return found


def _by_blocks(given: Banded, blocks: Blocks, mask: ir.Value, place: Place) -> list[ir.Value]:
    """Rows, and what caches hold next."""
    past = past_of(given.k, given.v)
    present = [grown_of(x, place) for x in past or ()]
    given = (
        replace(given, k=Tensor(given.k.type, present[0]), v=Tensor(given.v.type, present[1]))
        if past
        else given
    )
    return [rows_of(block_attention(given, blocks, mask, place), place), *present]


def _at_once(given: Banded, place: Place) -> Tensor:
    blocks = blocks_of(given, place)
    return block_attention(given, blocks, block_mask(given, blocks, place), place)


def _mask(given: Banded, place: Place) -> ir.Value:
    """The mask of all pairs, [B or 1, H or 1, Q, K], or with the score what is added."""
    sizes = dict(zip("bhqk", (*given.q.type.shape[:3], given.k.type.shape[2]), strict=True))
    pairs = Pairs(place, given.rules.tensors, dict(given.op.names), sizes, given.op.start)
    return value_of(seen(given.rules, None, pairs), place)


def _whole(given: Banded, mask: ir.Value, place: Place) -> list[ir.Value]:
    """Rows, and what caches hold next."""
    op, q, k, v, seen_ = given.op, given.q, given.k, given.v, seen_in(given.rules, mask)
    if taken_apart(given.sinks, place):
        return [rows_of(plain_attention(op, q, k, v, seen_, place, given.sinks), place)]
    y, present = attention_node(op, q, k, v, seen_, place)
    return [rows_of(y, place), *present]


def _key(given: Banded) -> tuple[object, ...]:
    """What the mask of an attention depends on."""
    op, rules = given.op, given.rules
    tensors = tuple((word, id(tensor.value)) for word, tensor in sorted(rules.tensors.items()))
    said = tuple(write(rule) if rule is not None else None for rule in (rules.mask, rules.score))
    return ("band", said, op.names, tensors, given.q.type.shape[:3], given.band)
