"""Which tiles a mask makes an attention visit: closed forms in the tile's number, derived once per structure.

The tile of queries m holds the positions from `start + m * M`, M of them, up to `start + Q - 1`; the tile of
keys n those from `n * N`, up to `K - 1`. A plan is written in `m`, `M`, `n`, `N`, `Q`, `K`, `start`, the
rule's named integers, and elements of tensors at `b` and `h`.

The method is interval analysis: from a tile's first and last position follow the first and the last key that
any of its queries may see, and those that all of them see. `//` rounds down, also below 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from archspec.dims.expr import Binary, Expr, Index, Literal, Name, children, names, substitute, write
from archspec.dims.num import Num
from archspec.ir.tiles.bands import KEYS, QUERIES, RESERVED, Axis, Band, Box, Names, band, merged, tight
from archspec.ir.tiles.clauses import Clause, always_tested, clauses
from archspec.ir.tiles.order import apart, gaps, hull, used
from archspec.ir.tiles.sums import both, either
from archspec.ir.tiles.terms import Places, Term, factors

MOST_BANDS = 4  # more are visited from the first to the last tile of any


class Segment(Struct, frozen=True):
    """Tiles from `begin` to before `end`; none where `end` is not above `begin`.

    `mask`: what is true where a pair counts, besides both being there; None where the tiles are whole and
    every pair counts. `test`: data decides; a tile where it holds for no pair may be left out. `picked`:
    pairs here can count only because of what data picks, beside tiles that are visited anyway.
    """

    begin: Expr
    end: Expr
    mask: Expr | None
    test: Expr | None = None
    picked: bool = False

    @property
    def full(self) -> bool:
        """Whether every tile is whole and every pair in it counts."""
        return self.mask is None


class Walk(Struct, frozen=True):
    """From a tile of one axis (`own`) along the tiles of the other: disjoint segments in rising order.

    `lets`: names for what the segments read, each after those that it reads itself.
    """

    own: Axis
    along: Axis
    lets: tuple[tuple[str, Expr], ...]
    segments: tuple[Segment, ...]

    def closed(self, expr: Expr) -> Expr:
        """An expression of the walk without the names of `lets`."""
        for word, meaning in reversed(self.lets):
            expr = substitute(expr, {word: meaning})
        return expr


class TilePlan(Struct, frozen=True):
    """The walks of a tile of queries along keys (`queries`: forward, dq), and of keys along queries (dk, dv).

    `numbers`: how the plan writes the rule's named integers, and their names. `positive`: what it takes to be
    above 0. `notes` say what is tested in each tile that is visited.
    """

    rule: Expr
    queries: Walk
    keys: Walk
    numbers: tuple[tuple[str, str], ...]
    positive: tuple[Expr, ...]
    notes: tuple[str, ...]


def plan(rule: Expr | None, numbers: Mapping[str, Num], operands: Collection[str] | None = None) -> TilePlan:
    """The plan of a rule over `b`, `h`, `q`, `k`, the `numbers` and tensors; of all pairs for None.

    Values of `numbers` are not part of it, but for which factors and divisors are above 0.
    `operands`: the tensors that are there (None: all); terms that look up others are true.
    """
    spelt = {name: _spelling(name, numbers) for name in numbers}
    present = _present(Literal(True) if rule is None else rule, operands)
    written = substitute(present, {name: Name(word) for name, word in spelt.items()})
    known = {spelt[name]: number for name, number in numbers.items()}
    over_keys, over_queries = Places("k", "q", known), Places("q", "k", known)
    return TilePlan(
        written,
        _walk(written, QUERIES, KEYS, over_keys),
        _walk(written, KEYS, QUERIES, over_queries),
        tuple((word, name) for name, word in spelt.items()),
        tuple(dict.fromkeys(factors(written, over_keys))),
        tuple(dict.fromkeys(note for x in (over_keys, over_queries) for note in _notes(written, x))),
    )


def _spelling(name: str, taken: Collection[str]) -> str:
    """The name itself, but for the plan's own words."""
    spellings = (name + "_" * i for i in range(1, 99))
    return next(x for x in spellings if x not in taken) if RESERVED.fullmatch(name) else name


def _present(rule: Expr, operands: Collection[str] | None) -> Expr:
    """The rule without the terms that look up what is not there."""
    if operands is None:
        return rule
    if isinstance(rule, Binary) and rule.op == "and":
        sides = [_present(x, operands) for x in (rule.left, rule.right)]
        kept = [x for x in sides if x != Literal(True)]
        return both(kept) or Literal(True)
    return rule if set(_tensors(rule)) <= set(operands) else Literal(True)


def _tensors(rule: Expr) -> Iterable[str]:
    if isinstance(rule, Index) and isinstance(rule.base, Name):
        yield rule.base.id
    for child in children(rule):
        yield from _tensors(child)


def _notes(rule: Expr, places: Places) -> Iterable[str]:
    for term in sorted({t for clause in clauses(rule, places) for t in clause}, key=repr):
        if term.kind == "data":
            yield f"data decides: {write(term.expr)}"
        elif term.kind == "left":
            yield f"not read, tested in each tile: {write(term.expr)}"


def _walk(rule: Expr, own: Axis, along: Axis, places: Places) -> Walk:
    lets = Names()
    box = Box.of(own, along, places, lets)
    found = clauses(rule, places)
    common = always_tested(found)
    tests = _Tests.of(found, common)
    loose = merged([band(clause, common, box, lets) for clause in found])
    bands = [tight(each, along, lets) for each in loose]
    segments = tuple(_segments(bands, tests, rule, common, lets))
    read = {word for each in segments for expr in (each.begin, each.end) for word in names(expr)}
    return Walk(own, along, used(lets, read), segments)


class _Tests(Struct, frozen=True):
    """What data says of all tiles, and of those that are not certain; whether only data picks these."""

    all: Expr | None
    some: Expr | None
    picked: bool

    @classmethod
    def of(cls, found: Sequence[Clause], common: frozenset[Term]) -> _Tests:
        shared = both(_data(common))
        own = [both(_data(clause - common)) for clause in found if _left(clause - common)]
        some = None if None in own else either(x for x in own if x is not None)
        return cls(shared, both(x for x in (shared, some) if x is not None), some is not None)


def _data(terms: Iterable[Term]) -> list[Expr]:
    return [term.expr for term in sorted(terms, key=repr) if term.kind == "data"]


def _left(terms: Iterable[Term]) -> bool:
    return any(term.kind in ("left", "data") for term in terms)


def _segments(
    bands: Sequence[Band], tests: _Tests, rule: Expr, common: frozenset[Term], lets: Names
) -> Iterable[Segment]:
    """Bands that are certain, what is left of them in the gaps between."""
    certain = [x for x in bands if x.inner is not None]
    others = [x for x in bands if x.inner is None]
    if len(certain) > MOST_BANDS:
        certain = [Band(*hull(certain, lets), None)]
    rows = apart(certain, lets)
    inside = both(t.expr for t in sorted(common, key=repr))
    between = gaps(rows, *hull(others, lets)) if others else [None] * (len(rows) + 1)
    for gap, row in zip(between, [*rows, None], strict=True):
        if gap is not None and gap[0] != gap[1]:
            yield Segment(*gap, rule, tests.some, tests.picked and bool(certain))
        if row is not None:
            yield from _of_band(row, tests.all, rule, inside)


def _of_band(row: Band, test: Expr | None, rule: Expr, inside: Expr | None) -> Iterable[Segment]:
    low, high = row.inner or (row.end, row.end)
    parts = (
        Segment(row.begin, low, rule, test),
        Segment(low, high, inside, test),
        Segment(high, row.end, rule, test),
    )
    yield from (each for each in parts if each.begin != each.end)
