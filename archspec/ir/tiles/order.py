"""Bands one after another: sorted by where they begin, each without the tiles of those before it."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.dims.expr import Binary, Expr, names
from archspec.ir.tiles.bands import Band, Names
from archspec.ir.tiles.sums import ZERO, choose, least, most


def _named(band: Band, lets: Names) -> Band:
    begin = lets.name("begin", band.begin)
    if band.inner is None:
        return Band(begin, lets.name("end", band.end), None)
    low, high = lets.name("inner", band.inner[0]), lets.name("outer", band.inner[1])
    return Band(begin, lets.name("end", band.end), (low, high))


def apart(bands: Sequence[Band], lets: Names) -> list[Band]:
    """Disjoint bands in rising order, that together have the same tiles."""
    out: list[Band] = []
    for each in _sorted(bands, lets):
        out.append(_named(_after(each, out[-1].end), lets) if out else each)
    return out


def _after(band: Band, begin: Expr) -> Band:
    """The part of a band that begins at `begin` or later."""
    start = most(band.begin, begin)
    inner = band.inner and (most(band.inner[0], start), most(band.inner[1], start))
    return Band(start, most(band.end, start), inner)


def _sorted(bands: Sequence[Band], lets: Names) -> list[Band]:
    """By a network of exchanges, which needs no loop where it runs."""
    out = sorted(bands, key=lambda band: band.begin != ZERO)
    for end in range(len(out) - 1, 0, -1):
        for i in range(end):
            begins = {out[i].begin, out[i + 1].begin}
            if len(begins) == 2 and ZERO not in begins:
                out[i], out[i + 1] = _exchanged(out[i], out[i + 1], lets)
    return out


def _exchanged(a: Band, b: Band, lets: Names) -> tuple[Band, Band]:
    test = Binary("<=", a.begin, b.begin)
    return _named(_chosen(test, a, b), lets), _named(_chosen(test, b, a), lets)


def _chosen(test: Expr, a: Band, b: Band) -> Band:
    """`a` where the test holds, otherwise `b`."""
    inner = None
    if a.inner is not None and b.inner is not None:
        inner = (choose([test], a.inner[0], b.inner[0]), choose([test], a.inner[1], b.inner[1]))
    return Band(choose([test], a.begin, b.begin), choose([test], a.end, b.end), inner)


def gaps(around: Sequence[Band], begin: Expr, end: Expr) -> list[tuple[Expr, Expr]]:
    """What lies from `begin` to before `end`, before, between and after disjoint bands in rising order."""
    out: list[tuple[Expr, Expr]] = []
    start = begin
    for each in around:
        out.append((start, start if each.begin == ZERO else _later(start, least(end, each.begin))))
        start = _later(begin, each.end)
    return [*out, (start, _later(start, end))]


def _later(a: Expr, b: Expr) -> Expr:
    """The later of two tiles, of which none is before 0."""
    return b if a == ZERO else most(a, b)


def hull(bands: Sequence[Band], lets: Names) -> tuple[Expr, Expr]:
    """From the first tile of any to the last of any."""
    begin, end = least(*(x.begin for x in bands)), most(*(x.end for x in bands))
    return lets.name("begin", ZERO if any(x.begin == ZERO for x in bands) else begin), lets.name("end", end)


def used(lets: Names, read: set[str]) -> tuple[tuple[str, Expr], ...]:
    """The names that are read, directly or by others; each stands behind what it reads."""
    from_last = reversed(tuple(lets.given.items()))
    return tuple(reversed([pair for pair in from_last if _is_read(pair, read)]))


def _is_read(pair: tuple[str, Expr], read: set[str]) -> bool:
    word, expr = pair
    if word in read:
        read.update(names(expr))
    return word in read
