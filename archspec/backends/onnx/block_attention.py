"""Attention by blocks of queries, in O(n w) (Beltagy et al. 2020, arXiv:2004.05150, section 3.1).

Each block is an element of a batch, and has its own copy of the keys that it can reach. Keys that data picks,
which any query may see, stand behind those.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx_ir as ir

from archspec.backends.onnx.bands import Band, BlockPairs, Blocks
from archspec.backends.onnx.heads import of_rows, rows_of, width
from archspec.backends.onnx.picks import begins, picks
from archspec.backends.onnx.place import Place
from archspec.backends.onnx.seen import Rules, Seen, seen, seen_in, value_of
from archspec.backends.onnx.tensor import Tensor
from archspec.backends.onnx.whole_attention import whole_attention
from archspec.dims import num as n
from archspec.dims.expr import names
from archspec.ir.ops.attention import Attention
from archspec.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Banded:
    """An attention whose queries see keys near them, and those where `far` [B, K] is true."""

    op: Attention
    q: Tensor
    k: Tensor
    v: Tensor
    rules: Rules
    sinks: Tensor | None
    band: Band
    far: ir.Value | None

    def without_cache(self) -> Banded:
        """The same, whose keys and values are written in full outside of branches."""
        k, v = (Tensor(x.type, x.value if x.grown else x.make, x.rows) for x in (self.k, self.v))
        return replace(self, k=k, v=v)

    @property
    def type(self) -> TensorType:
        """Of the result."""
        return self.q.type.with_shape(*self.q.type.shape[:3], self.v.type.shape[3])


def blocks_of(given: Banded, place: Place) -> Blocks:
    """Where the blocks lie. Of far keys, each row has as many places as the row with most needs."""
    if given.far is None:
        return Blocks(given.band, place)
    return Blocks(given.band, place, picks(given.far, place))


def block_mask(given: Banded, blocks: Blocks, place: Place) -> ir.Value:
    """The mask of the pairs in blocks, [B * N, H or 1, C, W], or with the score what is added."""
    band = given.band
    sizes = dict(zip("bhqk", (*given.q.type.shape[:2], band.queries, band.keys), strict=True))
    pairs = BlockPairs(place, given.rules.tensors, dict(given.op.names), sizes, band.start, blocks)
    found = seen(given.rules, None, pairs)
    there = place.one("Unsqueeze", blocks.there, place.tape.integers(-2, -3))
    mask = there if found.mask is None else place.one("And", found.mask, there)
    value = value_of(Seen(mask, found.added), place)
    lead = place.shape((given.q.type.shape[0], *[n.num(1)] * 4))
    by_head = any("h" in names(rule) for rule in (given.rules.mask, given.rules.score) if rule is not None)
    heads = int(given.q.type.shape[1]) if by_head else 1
    shape = place.sizes.joined([-1, heads, blocks.size, blocks.seen])
    return place.one("Reshape", place.one("Expand", value, lead), shape)


def block_attention(given: Banded, blocks: Blocks, mask: ir.Value, place: Place) -> Tensor:
    """The attention of all blocks as one batch, and its rows put together again."""
    q, k, v = (_queries(given.q, blocks, place), *(_keys(x, blocks, place) for x in (given.k, given.v)))
    y = whole_attention(given.op, q, k, v, seen_in(given.rules, mask), place, given.sinks)
    ends = [place.size(given.q.type.shape[0]), -1, width(given.type)]
    rows = place.one("Reshape", rows_of(y, place), place.sizes.joined(ends))
    zero, one = place.tape.integers(0), place.tape.integers(1)
    rows = place.one("Slice", rows, zero, place.sizes.tensor(given.band.queries), one)
    return of_rows(rows, given.type, place)


def _queries(q: Tensor, blocks: Blocks, place: Place) -> Tensor:
    """[B, H, Q, E] as [B * N, H, C, E]."""
    amounts = place.sizes.joined([0, 0, 0, 0, blocks.beyond, 0])
    padded = place.one("Pad", rows_of(q, place), amounts)
    rows = place.one("Reshape", padded, place.sizes.joined([-1, blocks.size, width(q.type)]))
    return of_rows(rows, blocks.type(q.type), place)


def _keys(x: Tensor, blocks: Blocks, place: Place) -> Tensor:
    """[B, G, K, E] as [B * N, G, W, E]: a copy of what each block can reach."""
    type_ = blocks.type(x.type)
    if x.rows is None and blocks.far is None:
        near = place.one("Gather", x.value, blocks.k, axis=2)
        first = place.one("Transpose", near, perm=(0, 2, 1, 3, 4))
        shape = place.sizes.joined([-1, int(x.type.shape[1]), blocks.seen, int(x.type.shape[3])])
        return Tensor(type_, place.one("Reshape", first, shape))
    rows, places = rows_of(x, place), blocks.k
    if blocks.far is not None:
        keys = place.sizes.tensor(x.type.shape[2])
        rows = place.one("Reshape", rows, place.tape.integers(-1, width(x.type)))
        places = place.one("Add", places, begins(x.type.shape[0], keys, 3, place))
    near = place.one("Gather", rows, places, axis=0 if blocks.far is not None else 1)
    shape = place.sizes.joined([-1, blocks.seen, width(x.type)])
    return of_rows(place.one("Reshape", near, shape), type_, place)
