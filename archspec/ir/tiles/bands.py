"""An alternative of a rule as a run of tiles, in closed form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from archspec.dims.expr import Binary, Expr, Literal, Name
from archspec.ir.tiles.clauses import Clause
from archspec.ir.tiles.sums import ZERO, between, ceil, choose, floor, least, minus, most, plus
from archspec.ir.tiles.terms import Kind, Places, Term, ends

# What plans are written in, besides a rule's own numbers.
RESERVED = re.compile(r"[mnMNQK]|start|(first|last|begin|inner|outer|end)\d*")


class Axis(Struct, frozen=True):
    """Queries or keys: the place in a rule, a tile's number and size, the length and the first position."""

    place: str
    tile: str
    size: str
    length: str
    origin: Expr


QUERIES = Axis("q", "m", "M", "Q", Name("start"))
KEYS = Axis("k", "n", "N", "K", ZERO)


class Names:
    """Gives names to expressions that are read several times."""

    def __init__(self) -> None:
        self.given: dict[str, Expr] = {}

    def name(self, stem: str, expr: Expr) -> Expr:
        """The name, or the expression itself where it is as short."""
        if isinstance(expr, Literal | Name):
            return expr
        known = next((word for word, given in self.given.items() if given == expr), None)
        word = known or next(w for w in (stem, *(f"{stem}{i}" for i in range(1, 99))) if w not in self.given)
        self.given[word] = expr
        return Name(word)


class Band(Struct, frozen=True):
    """Tiles from `begin` to before `end`; of those from `inner[0]` to before `inner[1]` every pair holds.

    `inner` is None where an alternative has terms of its own that are tested pair by pair. While a band is
    loose, `end` may lie before `begin`, and `inner` outside of them.
    """

    begin: Expr
    end: Expr
    inner: tuple[Expr, Expr] | None


class Box(Struct, frozen=True):
    """A tile of the own axis: its first and last position, on a walk along another axis."""

    own: Axis
    walked: Axis
    places: Places
    first: Expr
    last: Expr

    @classmethod
    def of(cls, own: Axis, walked: Axis, places: Places, lets: Names) -> Box:
        begin = Binary("*", Name(own.tile), Name(own.size))
        stop = least(plus(begin, Name(own.size)), Name(own.length))
        first = lets.name("first", plus(own.origin, begin))
        return cls(own, walked, places, first, lets.name("last", plus(own.origin, stop, -1)))

    def tiles_down(self, position: Expr) -> Expr:
        """How many tiles of the walked axis end at a position or before it."""
        return floor(self._within(position), Name(self.walked.size))

    def tiles_up(self, position: Expr) -> Expr:
        """How many begin before it."""
        return ceil(self._within(position), Name(self.walked.size))

    def _within(self, position: Expr) -> Expr:
        """As an index, from 0 to the length."""
        length, index = Name(self.walked.length), minus(position, self.walked.origin)
        return index if index in (ZERO, length) else between(index, ZERO, length)


def band(clause: Clause, common: frozenset[Term], box: Box, lets: Names) -> Band:
    """The tiles of an alternative, as a loose band; `common` are terms that all alternatives share."""
    first, last, there = _narrowed(clause, box, lets)
    begin = lets.name("begin", box.tiles_down(_low(clause, box, first, last, 0)))
    end = choose(there, box.tiles_up(_high(clause, box, first, last, 1)), ZERO)
    rest = frozenset(_of(clause, "left", "data")) - common
    return Band(begin, end, None if rest else _inner(clause, box))


def _of(clause: Clause, *kinds: Kind) -> list[Term]:
    return sorted((term for term in clause if term.kind in kinds), key=repr)


def _narrowed(clause: Clause, box: Box, lets: Names) -> tuple[Expr, Expr, list[Expr]]:
    """The own positions that may hold: first, last, and when there are any."""
    tests = [term.expr for term in _of(clause, "if")]
    own = _of(clause, "first", "last")
    if not own:
        return box.first, box.last, tests
    first = lets.name("first", most(box.first, *(t.expr for t in own if t.kind == "first")))
    last = lets.name("last", least(box.last, *(t.expr for t in own if t.kind == "last")))
    return first, last, [*tests, Binary("<=", first, last)]


def _inner(clause: Clause, box: Box) -> tuple[Expr, Expr]:
    low = box.tiles_up(_low(clause, box, box.first, box.last, 1))
    high = box.tiles_down(_high(clause, box, box.first, box.last, 0))
    return low, choose(_always(clause, box), high, ZERO)


def _always(clause: Clause, box: Box) -> list[Expr]:
    """When all own positions hold."""
    tests = [term.expr for term in _of(clause, "if")]
    tests += [Binary(">=", box.first, term.expr) for term in _of(clause, "first")]
    return tests + [Binary("<=", box.last, term.expr) for term in _of(clause, "last")]


def _low(clause: Clause, box: Box, first: Expr, last: Expr, side: int) -> Expr:
    """The position from which on pairs may hold (`side` 0) or all hold (1)."""
    bounds = _bounds(_of(clause, "lower"), box.places, first, last, side)
    return most(*bounds) if bounds else box.walked.origin


def _high(clause: Clause, box: Box, first: Expr, last: Expr, side: int) -> Expr:
    """The position before which pairs may hold (`side` 1) or all hold (0)."""
    bounds = _bounds(_of(clause, "upper"), box.places, first, last, side)
    if bounds:
        return least(*(plus(bound, 1) for bound in bounds))
    return plus(box.walked.origin, Name(box.walked.length))


def _bounds(terms: Iterable[Term], places: Places, first: Expr, last: Expr, side: int) -> list[Expr]:
    found = (ends(term.expr, places, first, last) for term in terms)
    return [pair[side] for pair in found if pair is not None]


def merged(bands: Sequence[Band]) -> tuple[Band, ...]:
    """Loose bands that begin together, as one."""
    out: list[Band] = []
    for each in bands:
        same = [x for x in out if _together(x, each)]
        out = [x for x in out if x not in same] + [_joined([*same, each])]
    return tuple(out)


def _together(a: Band, b: Band) -> bool:
    return (a.begin, a.inner and a.inner[0]) == (b.begin, b.inner and b.inner[0])


def _joined(bands: Sequence[Band]) -> Band:
    inner = [x.inner for x in bands if x.inner is not None]
    whole = (inner[0][0], most(*(x[1] for x in inner))) if inner else None
    return Band(bands[0].begin, most(*(x.end for x in bands)), whole)


def tight(band: Band, axis: Axis, lets: Names) -> Band:
    """The band with its ends in order, and with names for them."""
    total = ceil(Name(axis.length), Name(axis.size))
    in_order = band.begin == ZERO or band.end == total  # a band begins at 0 or later, and not after the last
    end = lets.name("end", band.end if in_order else most(band.begin, band.end))
    if band.inner is None:
        return Band(band.begin, end, None)
    low, high = band.inner
    low = lets.name("inner", low if band.end == total or low == ZERO else least(low, end))
    high = lets.name("outer", high if low == ZERO else most(low, high))
    return Band(band.begin, end, (low, high))
