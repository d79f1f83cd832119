"""Masks pair by pair, by Python itself, to hold plans against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any
from zlib import crc32

from msgspec import Struct

from archspec.dims import num as n
from archspec.dims.expr import Expr, write
from archspec.dims.parse import parse
from archspec.ir.tiles.concrete import Sizes, tiles
from archspec.ir.tiles.plan import Segment, TilePlan, Walk, plan

# Attention's families of masks.
FAMILIES = {
    "causal": "k <= q",
    "causal, shifted": "k + a <= q",
    "window": "k <= q and q - k < w",
    "window, both sides": "abs(q - k) <= w",
    "window, of half a number": "abs(q - k) <= w // 2",
    "window, uneven": "q - k < w and k - q <= c",
    "chunks": "q // c == k // c",
    "chunks, causal": "k // c == q // c and k <= q",
    "chunks, and the one before": "k <= q and q // c - k // c <= 1",
    "chunks, by remainders": "k <= q and k >= q - q % c",
    "coarse steps": "k <= q + (q // c - 1) * d and q - k < w",
    "bounds a number apart": "k <= q and k + 2 <= q and q - k < w + 3 and q - k < w",
    "prefix": "k < p or k <= q",
    "sinks": "k <= q and (k < g or q - k < w)",
    "global by index": "abs(q - k) <= w or k < g or q < g",
    "global by index, causal": "k <= q and (q - k < w or k < g or q < g)",
    "outside of a window": "not abs(q - k) <= w",
    "no diagonal": "q != k",
    "two diagonals": "abs(q - k - a) <= w or abs(q - k + c) <= g",
    "dilated": "abs(q - k) <= w * d and (q - k) % d == 0",
    "strided": "k <= q and (q - k < c or (q - k) % c == 0)",
    "fixed": "k <= q and (k // c == q // c or k % c == c - 1)",
    "coarser keys": "k * d <= q",
    "coarser queries": "k <= q // d + a and q // d - k < w",
    "slopes": "k <= q * a and k * d >= q - w",
    "anti-causal": "q + k <= p",
    "per head": "k <= q and q - k < size[h]",
    "heads of two kinds": "k <= q and (h == 1 or q - k < w)",
    "padding": "t[b, k]",
    "causal, padding": "k <= q and t[b, k]",
    "documents": "k <= q and doc[b, q] == doc[b, k]",
    "global by data": "(abs(q - k) <= w or t[b, k]) and s[b, k]",
    "global by data, both ways": "abs(q - k) <= w or t[b, k] or t[b, q]",
    "global by data, causal": "k <= q and (q - k < w or t[b, k])",
    "chosen queries": "t[b, q] and s[b, k]",
    "strided, and picked": "abs(q - k) <= w or k <= q and (q - k) % c == 0 or t[b, k]",
    "pairs": "k <= q and pair[b, q, k]",
    "limits": "k < limit[b, q] and q - k < w",
    "shifted windows": "a == 0 or doc[b, q] == doc[b, k]",
}
# Those in which a query sees one stretch of keys, or two: no tile is visited in vain.
INTERVALS = [
    "causal", "window", "window, both sides", "window, of half a number", "window, uneven", "chunks",
    "chunks, causal", "chunks, and the one before", "prefix", "sinks", "global by index",
    "global by index, causal", "per head",
]  # fmt: skip

Truth = Callable[[int, int], bool]


def made(rule: str, numbers: Mapping[str, int], head: int = 0) -> tuple[TilePlan, dict[str, int]]:
    """The plan, and the numbers that it is evaluated with, for one head."""
    of_head = {"size[h]": numbers.get("w", 0) + head, "h": head}
    return plan(parse(rule), {name: n.num(value) for name, value in numbers.items()}), {**numbers, **of_head}


def truth(rule: Expr, numbers: Mapping[str, int], seed: int, head: int = 0) -> Truth:
    """What a rule says of a pair; tensors hold what the seed makes of them."""
    code = compile(write(rule), "rule", "eval")
    tables: dict[str, Any] = {name: _Table(f"{seed}{name}", 2) for name in ("t", "s", "pair")}
    tables |= {"doc": _Table(f"{seed}doc", 3), "limit": _Table(f"{seed}limit", 24)}
    words = {
        "abs": abs,
        "true": True,
        "false": False,
        "b": 0,
        "h": head,
        "size": [numbers.get("w", 0) + head] * 9,
    }
    scope = {**numbers, **words, **tables}
    return lambda q, k: bool(eval(code, scope, {"q": q, "k": k}))


class _Table:
    def __init__(self, seed: str, many: int) -> None:
        self.seed, self.many = seed, many

    def __getitem__(self, at: tuple[int, ...]) -> int:
        return crc32(f"{self.seed}{at}".encode()) % self.many


def places(walk: Walk, own: int, other: int, sizes: Sizes) -> tuple[range, range]:
    """Queries and keys in a tile of each axis."""
    m, t = (own, other) if walk.own.place == "q" else (other, own)
    queries = range(m * sizes.M, min(m * sizes.M + sizes.M, sizes.Q))
    keys = range(t * sizes.N, min(t * sizes.N + sizes.N, sizes.K))
    return range(queries.start + sizes.start, queries.stop + sizes.start), keys


class Checker(Struct, frozen=True):
    """Holds plans against the rule, in numbers; `values` are for evaluation, `seed` is what tensors hold."""

    plan: TilePlan
    sizes: Sizes
    values: Mapping[str, int]
    seed: int = 0

    def walk(self, walk: Walk) -> tuple[int, int]:
        """How many tiles are visited, and how many hold a pair that counts."""
        holds, visited, needed = self._truth(self.plan.rule), 0, 0
        count = (
            -(-self.sizes.K // self.sizes.N) if walk.own.place == "q" else -(-self.sizes.Q // self.sizes.M)
        )
        for own, row in enumerate(tiles(self.plan, walk, self.sizes, self.values)):
            listed = [(tile, run.segment) for run in row for tile in range(run.begin, run.end)]
            found = [tile for tile, _ in listed]
            assert found == sorted(set(found) & set(range(count))), "twice, out of order or not there"
            for tile in range(count):
                queries, keys = places(walk, own, tile, self.sizes)
                true = {pair for pair in product(queries, keys) if holds(*pair)}
                visited, needed = visited + (tile in found), needed + bool(true)
                assert tile in found or not true, "a tile is missed"
                if tile in found:
                    self._tile(dict(listed)[tile], walk, queries, keys, true)
        return visited, needed

    def _tile(
        self, kind: Segment, walk: Walk, queries: range, keys: range, true: set[tuple[int, int]]
    ) -> None:
        """A tile that is visited, and the pairs in it that count."""
        pairs = set(product(queries, keys))
        if kind.test is not None and true:
            passes = self._truth(kind.test)
            assert any(passes(*pair) for pair in pairs), "a test leaves a tile out that is needed"
        if kind.mask is None:
            walked, size = (keys, self.sizes.N) if walk.own.place == "q" else (queries, self.sizes.M)
            assert len(walked) == size, "a ragged tile is called full"
            assert true == pairs, "a tile is wrongly called full"
        else:
            counts = self._truth(kind.mask)
            assert true == {pair for pair in pairs if counts(*pair)}, "a segment's mask says otherwise"

    def _truth(self, rule: Expr) -> Truth:
        return truth(rule, self.values, self.seed, self.values["h"])
