"""What an attention computes, without any size: what a file of kernels is made from."""

from __future__ import annotations

from typing import Literal as Word

from msgspec import Struct

from archspec.dims.expr import Expr, Index, Name, children
from archspec.ir.tiles.plan import TilePlan

Kind = Word["bool", "int", "float"]


class Looked(Struct, frozen=True):
    """A tensor that the rule or the score looks up, of `axes` axes.

    `own`: its axis of queries begins at the first query, not at the first position.
    """

    word: str
    axes: int
    kind: Kind
    optional: bool = False
    own: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """What its strides are called."""
        return tuple(f"{self.word}_{axis}" for axis in range(self.axes))


class Description(Struct, frozen=True):
    """softmax(cap(q k^T * scale) + score, where the plan's rule holds) v, with sinks and weights left out.

    `tensors` and `numbers` (words, with int or float) stand in the order in which a call gives them.
    """

    plan: TilePlan
    score: Expr | None = None
    tensors: tuple[Looked, ...] = ()
    numbers: tuple[tuple[str, Kind], ...] = ()
    capped: bool = False
    sunk: bool = False
    dropped: bool = False

    @property
    def operands(self) -> tuple[str, ...]:
        """What kernels are handed for rule and score: pointers, each with its strides, and numbers."""
        pointers = tuple(word for t in self.tensors for word in (t.word, *t.steps))
        return (*pointers, *(word for word, _ in self.numbers))

    def looked(self, word: str) -> Looked:
        return next(t for t in self.tensors if t.word == word)


def lookups(expr: Expr) -> tuple[Index, ...]:
    """The elements of tensors that an expression reads, inner ones first."""
    inner = tuple(x for part in children(expr) for x in lookups(part))
    return (*inner, expr) if isinstance(expr, Index) and isinstance(expr.base, Name) else inner
