"""Where the blocks of a banded attention lie: queries by blocks, and the keys that each block can reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from archspec.backends.onnx.pairs import Found, Pairs
from archspec.backends.onnx.picks import Picks
from archspec.backends.onnx.place import Place
from archspec.backends.onnx.sizes import Known
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.types import TensorType

LEAST = 64  # queries of a block
PARTS = 4  # blocks of about a part of what they reach: fewer copy keys, more compute what is masked


@dataclass(frozen=True, slots=True)
class Band:
    """`queries` from `start` on see `before` keys back and `after` ahead, of `keys`."""

    batch: Num
    queries: Num
    keys: Num
    start: Num
    before: int
    after: int

    @property
    def most(self) -> int:
        """The queries of a block, where there are as many."""
        return max(LEAST, -(-(self.before + self.after) // (LEAST * PARTS)) * LEAST)

    @property
    def enough(self) -> int:
        """More keys than this are worth blocks: up to a third more than one sees they cost the same."""
        return (self.before + self.most + self.after) * 4 // 3


class Blocks:
    """Block i has `size` queries from i * size on, and `width` keys from i * size + start - before on.

    `far`: keys that every block sees besides.
    """

    def __init__(self, band: Band, place: Place, far: Picks | None = None) -> None:
        self.band, self.place, self.far = band, place, far
        one = place.one
        self.size = self._size()
        self.width = self._plus(self.size, band.before + band.after)
        queries = place.sizes.tensor(band.queries)
        size = self.vector(self.size)
        upward = one("Add", queries, self.vector(self._plus(self.size, -1)))
        self.count = one("Div", upward, size)
        self.rows = self._bound("blocks", one("Mul", self.count, place.sizes.tensor(band.batch)))
        self.length = n.num(self.size) if isinstance(self.size, int) else self._bound("block", self.size)
        self.beyond = one("Sub", one("Mul", self.count, size), queries)
        begins = one("Mul", self._range(self.count), size)
        rows = one("Add", self._upright(begins), self._range(self.size))
        last = one("Sub", queries, self.vector(1))
        start = place.sizes.tensor(band.start)
        self.q = one("Add", one("Min", rows, last), start)
        low = self._upright(one("Add", begins, place.sizes.tensor(band.start - n.num(band.before))))
        self._place_keys(low, far)

    def _size(self) -> Known:
        """As many queries as there are, where they may be fewer than a block has."""
        band, place = self.band, self.place
        queries = place.size(band.queries)
        if isinstance(queries, int):
            return min(queries, band.most)
        if place.same(band.queries, band.keys):
            return band.most
        return place.one("Min", queries, self.vector(band.most))

    def _place_keys(self, low: ir.Value, far: Picks | None) -> None:
        """`k` [(B,) N, W], inside of the keys, and `there`: whether one is meant."""
        one, keys = self.place.one, self.place.sizes.tensor(self.band.keys)
        zero, last = self.vector(0), one("Sub", keys, self.vector(1))
        k = one("Add", low, self._range(self.width))
        self.k = one("Max", one("Min", k, last), zero)
        self.there = one("Equal", self.k, k)
        if far is None:
            return
        wide = [one("Unsqueeze", x, self.vector(1)) for x in (far.places, far.there)]
        inside = one(
            "And",
            one("GreaterOrEqual", wide[0], low),
            one("Less", wide[0], one("Add", low, self.vector(self.width))),
        )
        alone = one("And", wide[1], one("Not", inside))
        shape = one("Shape", alone)
        lead = one("Slice", shape, zero, self.vector(2), zero)
        near = one("Concat", lead, self.vector(self.width), axis=0)
        self.k = one("Concat", one("Expand", self.k, near), one("Expand", wide[0], shape), axis=-1)
        self.there = one("Concat", one("Expand", self.there, near), alone, axis=-1)

    @property
    def seen(self) -> Known:
        """The keys of a block, with those that are far."""
        return self.width if self.far is None else self.place.one("Shape", self.k, start=2, end=3)

    def type(self, of: TensorType) -> TensorType:
        """Of a tensor [B, H, S, E] by blocks: [B * N, H, C or W, E]."""
        return of.with_shape(self.rows, of.shape[1], self.length, of.shape[3])

    def vector(self, size: Known) -> ir.Value:
        """A size as a tensor [1]."""
        return self.place.tape.integers(size) if isinstance(size, int) else size

    def _bound(self, name: str, value: ir.Value) -> Num:
        """A size that is this at run time."""
        symbol = self.place.tape.unique(name)
        self.place.sizes.bind(symbol, value)
        return n.symbol(symbol)

    def _plus(self, size: Known, more: int) -> Known:
        return size + more if isinstance(size, int) else self.place.one("Add", size, self.vector(more))

    def _range(self, size: Known) -> ir.Value:
        end = self.place.scalar(size, "int64") if isinstance(size, int) else self.place.one("Squeeze", size)
        return self.place.one("Range", *(self.place.scalar(0, "int64"), end, self.place.scalar(1, "int64")))

    def _upright(self, row: ir.Value) -> ir.Value:
        return self.place.one("Unsqueeze", row, self.vector(1))


@dataclass(slots=True)
class BlockPairs(Pairs):
    """The pairs of each block: [B, N, H, C, W]."""

    axes: ClassVar = {"b": 0, "h": 2, "q": 3, "k": 4}
    rank: ClassVar = 5
    blocks: Blocks | None = None

    def position(self, word: str) -> Found:
        """Positions of queries are [N, 1, C, 1], of keys [(B,) N, 1, 1, W]."""
        assert self.blocks is not None, "pairs of blocks"
        if word not in "qk":
            return Pairs.position(self, word)
        given, axes = (self.blocks.q, (1, 3)) if word == "q" else (self.blocks.k, (-2, -3))
        return Found(self.place.one("Unsqueeze", given, self.place.tape.integers(*axes)), "int64")

    def whole(self, place: str, size: Num) -> bool:
        """Queries and keys stand by blocks."""
        return place in "bh" and Pairs.whole(self, place, size)
