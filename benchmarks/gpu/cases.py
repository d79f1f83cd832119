"""What is measured: attention structures with their sizes. Pure data: both stages read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

LENGTHS = {"h": "H", "q": "K", "k": "K", "b": "B"}  # an axis of a table is as long as which size


@dataclass(frozen=True, slots=True)
class Table:
    """A tensor that rule or score looks up: its axes (b, h, q, k, or a length as an expression of numbers),
    and the way it is drawn (operands.py)."""

    axes: tuple[str, ...]
    drawn: str

    @property
    def kind(self) -> str:
        return {"slopes": "float", "normal": "float", "documents": "int"}.get(self.drawn, "bool")


@dataclass(frozen=True, slots=True)
class Case:
    """An attention: B batches, H heads that share G heads of keys, Q queries at the end of K keys, E and W
    features.

    `dense`: SDPA can say it without a mask (full or causal). `tunes`: its times choose the table's tiles.
    """

    name: str
    rule: str | None = None
    score: str | None = None
    numbers: Mapping[str, int] = field(default_factory=dict[str, int])
    tables: Mapping[str, Table] = field(default_factory=dict[str, Table])
    B: int = 1
    H: int = 16
    G: int = 16
    Q: int = 8192
    K: int = 8192
    E: int = 128
    W: int = 128
    cap: float | None = None
    sunk: bool = False
    dense: bool = False
    tunes: bool = False

    @property
    def start(self) -> int:
        """The position of the first query: the last query stands at the last key."""
        return self.K - self.Q

    @property
    def decodes(self) -> bool:
        return self.Q == 1

    @property
    def structure(self) -> tuple[object, ...]:
        """What the kernels are made from: cases that share it share a file."""
        tables = tuple((word, len(t.axes), t.kind) for word, t in self.tables.items())
        return (self.rule, self.score, tuple(self.numbers), tables, self.cap is not None, self.sunk)

    def sized(self, length: int, **sizes: int) -> Case:
        """The case for `length` keys; numbers shrink with it."""
        numbers = {word: max(1, value * length // self.K) for word, value in self.numbers.items()}
        queries = 1 if self.decodes else length
        return replace(self, Q=queries, K=length, numbers=numbers, **sizes)

    def ragged(self) -> Case:
        """To be checked: no tile divides 1,000. Few queries keep their batch: it decides into how many
        shares keys are cut."""
        return self.sized(1000, B=self.B if self.decodes else 1)

    def tiny(self) -> Case:
        """For the interpreter, where every tile counts."""
        heads = {"B": 1, "H": 2, "G": 1 if self.H > self.G else 2}
        return self.sized(264 if self.decodes else 40, **heads, E=16, W=16)


DISTANCE = "table[h, max(min(k - q, d), 0 - d) + d]"
WINDOW = "k <= q and q - k < w"
GLOBAL = "(abs(q - k) <= w or tokens[b, q] or tokens[b, k]) and padding[b, k]"
TOKENS, KEYS = Table(("b", "k"), "tokens"), Table(("b", "k"), "padding")
D64 = {"H": 32, "G": 32, "E": 64, "W": 64}
GROUPED = {"H": 32, "G": 8}

_ALL = [
    Case("full d128 8k", B=2, dense=True, tunes=True),
    Case("causal d128 8k", "k <= q", B=2, dense=True, tunes=True),
    Case("full d64 8k", B=2, **D64, dense=True, tunes=True),
    Case("causal d64 8k", "k <= q", B=2, **D64, dense=True, tunes=True),
    Case("full d128 16k", Q=16384, K=16384, dense=True),
    Case("causal d128 16k", "k <= q", Q=16384, K=16384, dense=True),
    Case("full d64 16k", Q=16384, K=16384, **D64, dense=True),
    Case("causal d64 16k", "k <= q", Q=16384, K=16384, **D64, dense=True),
    Case("causal grouped d128 8k", "k <= q", B=2, H=64, G=8, dense=True),
    Case("window 4k of 32k d128", WINDOW, numbers={"w": 4096}, Q=32768, K=32768, **GROUPED, tunes=True),
    Case("window 1k sinks d64", WINDOW, numbers={"w": 1024}, B=2, H=64, G=8, E=64, W=64, sunk=True,
         tunes=True),
    Case("prefix 2k d128", "k <= q or k < p", numbers={"p": 2048}, B=2, **GROUPED),
    Case("chunks 4k of 16k d128", "k <= q and q // c == k // c", numbers={"c": 4096}, Q=16384, K=16384,
         **GROUPED),
    Case("global tokens d64", GLOBAL, numbers={"w": 256}, tables={"tokens": TOKENS, "padding": KEYS},
         B=4, H=12, G=12, E=64, W=64, tunes=True),
    Case("documents d128 16k", "k <= q and doc[b, q] == doc[b, k]",
         tables={"doc": Table(("b", "k"), "documents")}, Q=16384, K=16384, **GROUPED),
    Case("ALiBi d128", "k <= q", "slopes[h] * (k - q)", tables={"slopes": Table(("h",), "slopes")}, B=2),
    Case("T5 distances d64", None, DISTANCE, {"d": 128}, {"table": Table(("h", "2 * d + 1"), "normal")},
         B=2, H=16, G=16, E=64, W=64, tunes=True),
    Case("softcap d128", "k <= q", B=2, **GROUPED, cap=50.0, tunes=True),
    Case("padding d64", "padding[b, k]", tables={"padding": KEYS}, B=4, H=16, G=16, E=64, W=64),
    Case("decode d128 32k", "k <= q", B=8, **GROUPED, Q=1, K=32768, dense=True, tunes=True),
    Case("decode d64 32k", "k <= q", B=8, H=64, G=8, E=64, W=64, Q=1, K=32768, dense=True,
         tunes=True),
    Case("decode window 1k d128 32k", WINDOW, numbers={"w": 1024}, B=8, **GROUPED, Q=1, K=32768),
]  # fmt: skip
CASES = {case.name: case for case in _ALL}
DRY = ("causal d128 8k", "global tokens d64", "T5 distances d64", "decode window 1k d128 32k")
