"""How many pairs of a query and a key a mask lets through: exact, without listing them.

The keys that a query sees lie between cuts, which move evenly while the query goes on (by a period, where the
rule divides). So the number of keys is linear in the query between the places where two cuts meet.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from archspec.analysis.cuts import count_between
from archspec.analysis.lookups import settled
from archspec.analysis.meaning import meaning
from archspec.analysis.terms import UnreadableError
from archspec.analysis.windows import windowed
from archspec.dims import poly
from archspec.dims.expr import Binary, Expr, Literal, Name, Unary
from archspec.dims.poly import Size
from archspec.ir.ops.attention import Attention

BOUNDED = "windows in symbols"  # how a note begins that says from which length on
SMALL = 1 << 20  # pairs that may be listed where a rule cannot be read

_EARLIER = (Binary("<=", Name("k"), Name("q")), Binary(">=", Name("q"), Name("k")))


class Pairs(Struct, frozen=True):
    """`twice` the number of pairs, which is whole also in symbols; None where it is not known.

    `notes` say what was assumed of the tensors that the mask looks up.
    """

    twice: Size | None
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int | None:
        return self.twice // 2 if isinstance(self.twice, int) else None


def pairs(op: Attention, queries: Size, keys: Size, start: Size) -> Pairs:
    """The pairs that `op` lets through, of queries at `start`, `start + 1`, … and keys at 0, 1, ….

    In symbols: all pairs, and over all keys up to the last query those of a causal mask, and of rules of the
    distance alone, from the length on that is noted.
    """
    if op.mask is None:
        return Pairs(_doubled(poly.mul(queries, keys)))
    rule, notes = settled(op.mask)
    numbers = {name: number.value for name, number in op.names}
    whole = {name: value for name, value in numbers.items() if isinstance(value, int)}
    if isinstance(queries, int) and isinstance(keys, int) and isinstance(start, int):
        found = count(rule, queries, keys, start, whole) if len(whole) == len(numbers) else None
        return Pairs(None if found is None else 2 * found, notes)
    rule, known = simple(rule), _symbolic(simple(rule), queries, keys, start)
    if known is None and keys == poly.add(start, queries) and len(whole) == len(numbers):
        return _windowed(rule, queries, start, whole, notes)
    return Pairs(known, notes)


def _windowed(
    rule: Expr, queries: Size, start: Size, numbers: Mapping[str, int], notes: tuple[str, ...]
) -> Pairs:
    """Where every length is beyond the windows, which is noted."""
    found = windowed(rule, queries, start, numbers)
    if found is None:
        return Pairs(None, notes)
    symbols = " and ".join(poly.show(x) for x in (queries, start) if not isinstance(x, int))
    return Pairs(found.twice, (*notes, f"{BOUNDED}: exact for {symbols} of {found.least:,} or more"))


def count(rule: Expr, queries: int, keys: int, start: int, numbers: Mapping[str, int]) -> int | None:
    """The pairs of a rule without look-ups; None where it can neither be read nor listed in short time."""
    try:
        return count_between(rule, range(start, start + queries), keys, numbers)
    except UnreadableError:
        return _listed(rule, range(start, start + queries), keys, numbers)


def _listed(rule: Expr, queries: range, keys: int, numbers: Mapping[str, int]) -> int | None:
    if len(queries) * keys > SMALL:
        return None
    try:
        holds = meaning(rule, numbers)
    except UnreadableError:
        return None
    return sum(bool(holds(q, k)) for q in queries for k in range(keys))


def simple(rule: Expr) -> Expr:
    """The rule without the parts that are decided."""
    if isinstance(rule, Unary) and rule.op == "not":
        inner = simple(rule.operand)
        return Literal(not inner.value) if isinstance(inner, Literal) else Unary("not", inner)
    if not (isinstance(rule, Binary) and rule.op in ("and", "or")):
        return rule
    left, right = simple(rule.left), simple(rule.right)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Literal):
            return other if one.value is (rule.op == "and") else one
    return Binary(rule.op, left, right)


def _symbolic(rule: Expr, queries: Size, keys: Size, start: Size) -> Size | None:
    if isinstance(rule, Literal):
        return _doubled(poly.mul(queries, keys)) if rule.value else 0
    if rule in _EARLIER and keys == poly.add(start, queries):
        own = poly.mul(queries, poly.add(queries, 1))
        return poly.add(_doubled(poly.mul(queries, start)), own)
    return None


def _doubled(size: Size) -> Size:
    return poly.mul(2, size)
