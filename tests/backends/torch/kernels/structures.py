"""Attention's structures: what each says, and a small shape for it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, structs

from archspec.backends.torch.kernels.description import Description, Kind, Looked
from archspec.backends.torch.kernels.taken import free
from archspec.dims import num as n
from archspec.dims.expr import Expr, Name, substitute
from archspec.dims.parse import parse
from archspec.ir.tiles.plan import plan
from tests.ir.tiles.listed import FAMILIES


class Table(Struct, frozen=True):
    """A tensor that is looked up: an axis is b, h, q, k (as long as there are positions), or a length.

    What is looked up of queries by a position has K elements, as many as there are positions.
    """

    axes: tuple[str | int, ...]
    kind: Kind = "bool"
    optional: bool = False
    absent: bool = False  # None is what a call gives
    most: int = 3  # whole numbers stay below


class Shape(Struct, frozen=True):
    """Of queries and keys; the features of keys (E) and of values (W)."""

    B: int = 1
    H: int = 2
    G: int = 2
    Q: int = 45
    K: int = 45
    E: int = 16
    W: int = 16
    start: int = 0


class Structure(Struct, frozen=True):
    """An attention, and sizes to try it with."""

    rule: str | None
    numbers: Mapping[str, int] = {}
    tables: Mapping[str, Table] = {}
    score: str | None = None
    cap: float | None = None
    sunk: bool = False
    shape: Shape = Shape()

    def description(self) -> Description:
        words = {word: free(word, (*self.numbers, *self.tables)) for word in (*self.numbers, *self.tables)}
        numbers = {words[word]: n.num(value) for word, value in self.numbers.items()}
        tables = {words[w]: Looked(words[w], len(t.axes), t.kind, t.optional) for w, t in self.tables.items()}
        spelt: dict[str, Expr] = {word: Name(other) for word, other in words.items()}
        return Description(
            plan(substitute(parse(self.rule), spelt) if self.rule else None, numbers, tables),
            substitute(parse(self.score), spelt) if self.score else None,
            tuple(tables.values()),
            tuple((word, "int") for word in numbers),
            self.cap is not None,
            self.sunk,
        )

    def shaped(self, **sizes: int) -> Structure:
        return structs.replace(self, shape=structs.replace(self.shape, **sizes))


def _family(name: str, tables: Mapping[str, Table] | None = None, **numbers: int) -> Structure:
    return Structure(FAMILIES[name], numbers, tables or {})


KEYS = Table(("b", "k"))
SLOPES = Table(("h",), "float")
NO_BIAS = Table(("b", "h", "q", "k"), "float", optional=True, absent=True)
TWO_ROWS = Shape(B=2, H=1, G=1, Q=41, K=41)
DISTANCE = "table[h, max(min(k - q, r), -r) + r]"

STRUCTURES = {
    "full": Structure(None),
    "causal": _family("causal"),
    "window": _family("window", w=9),
    "window, both sides": _family("window, both sides", w=6),
    "window, uneven": _family("window, uneven", w=11, c=4),
    "dilated": _family("dilated", w=7, d=3),
    "chunks": _family("chunks", c=13),
    "chunks, causal": _family("chunks, causal", c=20),
    "prefix": _family("prefix", p=21),
    "sinks in a window": _family("sinks", w=7, g=3),
    "global by index": _family("global by index", w=5, g=2),
    "global by data": Structure("abs(q - k) <= w or t[b, k]", {"w": 4}, {"t": KEYS}, shape=TWO_ROWS),
    "global by data, both ways": _family("global by data, both ways", {"t": KEYS}, w=4),
    "global by data, padded": _family("global by data", {"t": KEYS, "s": KEYS}, w=4),
    "chosen queries": _family("chosen queries", {"t": KEYS, "s": KEYS}),
    "documents": _family("documents", {"doc": Table(("b", "k"), "int")}),
    "padding": _family("causal, padding", {"t": KEYS}),
    "padding, given": _family("causal, padding", {"t": Table(("b", "k"), optional=True)}),
    "padding, not given": _family("causal, padding", {"t": Table(("b", "k"), optional=True, absent=True)}),
    "per head": _family("per head", {"size": Table(("h",), "int", most=20)}),
    "heads of two kinds": _family("heads of two kinds", w=6),
    "blocks": Structure("block[q // c, k // c]", {"c": 10}, {"block": Table((5, 5))}),
    "outside of a window": _family("outside of a window", w=10),
    "not": Structure("not (k > q or q - k >= w and k >= g)", {"w": 9, "g": 4}),
    "strided": _family("strided", c=8),
    "pairs": _family("pairs", {"pair": Table(("b", "q", "k"))}),
    "cross lengths": Structure(FAMILIES["window"], {"w": 18}, shape=Shape(Q=21, K=53, start=32)),
    "more queries": Structure("abs(q - k) <= w", {"w": 30}, shape=Shape(Q=50, K=19)),
    "before the first key": Structure("q // c == k // c", {"c": 6}, shape=Shape(Q=40, K=28, start=-11)),
    "ALiBi": Structure("k <= q", {}, {"slopes": SLOPES}, "slopes[h] * (k - q)"),
    "slopes of places": Structure(
        "k <= q and t[b, k]",
        {},
        {"t": KEYS, "slopes": SLOPES, "at": Table(("b", "k"), "int", most=40)},
        "slopes[h] * at[b, k]",
    ),
    "by distance": Structure(None, {"r": 7}, {"table": Table(("h", 15), "float")}, DISTANCE),
    "powers": Structure("k <= q", {}, {"slopes": SLOPES}, "slopes[h] * (k - q) ** 2 / 64 - 0.5 ** (q - k)"),
    "bias": Structure(
        "k <= q", {}, {"bias": Table(("b", "h", "q", "k"), "float")}, "bias[b, h, q, k]"
    ),
    "bias of all heads": Structure(None, {}, {"bias": Table((1, 1, "q", "k"), "float")}, "bias[b, h, q, k]"),
    "bias, given": Structure(
        "k <= q", {}, {"bias": Table(("b", "h", "q", "k"), "float", optional=True)}, "bias[b, h, q, k]"
    ),
    "bias, not given": Structure("k <= q", {}, {"bias": NO_BIAS}, "bias[b, h, q, k]"),
    "bias with a window": Structure(
        "abs(q - k) <= w", {"w": 9}, {"bias": Table((1, "h", "q", "k"), "float")}, "bias[b, h, q, k] * 0.5"
    ),
    "capped": Structure("k <= q", cap=1.5),
    "capped, with a bias": Structure(
        "k <= q and t[b, k]", {}, {"t": KEYS, "slopes": SLOPES}, "slopes[h] * (k - q)", cap=2.0
    ),
    "sunk": Structure("k <= q and q - k < w", {"w": 12}, sunk=True),
    "sunk, with data": _family("global by data", {"t": KEYS, "s": KEYS}, w=4),
    "shared keys": Structure(FAMILIES["window"], {"w": 9}, shape=Shape(H=4, G=2, Q=37, K=37)),
    "one head of keys": Structure("k <= q", shape=Shape(H=3, G=1, Q=37, K=37)),
    "wide values": Structure("k <= q", shape=Shape(E=24, W=40)),
    "narrow values": Structure("abs(q - k) <= w", {"w": 9}, shape=Shape(E=40, W=12)),
}  # fmt: skip
STRUCTURES["sunk, with data"] = structs.replace(STRUCTURES["sunk, with data"], sunk=True)
