"""How far a mask lets a query look: what its rule says of the distance between a query and a key.

Whatever reads a mask by blocks (a banded attention, a cache) starts from here. The rule is read as tiles read
it (`ir/tiles/clauses.py`), as alternatives of bounds on the key, which are compared with the query's place.
The answer is never too narrow: every pair that the rule lets through is within reach. It may be wider.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from archspec.dims.expr import Expr, Index, names
from archspec.dims.num import Num
from archspec.ir.tiles.clauses import Clause, always_tested, clauses
from archspec.ir.tiles.sums import ZERO, minus
from archspec.ir.tiles.terms import Places, offset
from archspec.ir.tiles.values import value

Side: TypeAlias = Literal["lower", "upper"]


class Bound(Struct, frozen=True):
    """A number of keys: as an expression over the rule's names, and its value."""

    expr: Expr
    value: int


class Reach(Struct, frozen=True):
    """A query q sees keys from q - before to q + after (None: without end), and those that `picked` names.

    `picked` are conditions of a key alone, `t[b, k]`: a key that meets one may be seen from anywhere.
    """

    before: Bound | None = None
    after: Bound | None = None
    picked: tuple[Expr, ...] = ()

    @property
    def near(self) -> bool:
        """Whether it ends on both sides."""
        return self.before is not None and self.after is not None


def reach_of(rule: Expr, numbers: Mapping[str, Num]) -> Reach:
    """The reach of a rule over `b`, `h`, `q`, `k`, the `numbers` and tensors that are looked up."""
    places = Places("k", "q", numbers)
    found = clauses(rule, places)
    shared = always_tested(found)
    return _any(_alternative(clause, shared, places) for clause in found) if found else Reach()


def _alternative(clause: Clause, shared: Clause, places: Places) -> Reach:
    """The reach of one alternative; where it has no ends of its own, the keys that it picks."""
    reach = Reach(_end(clause, "lower", places), _end(clause, "upper", places))
    picks = [term.expr for term in clause - shared if _of_key_alone(term.expr)]
    nothing = Bound(ZERO, -1)
    return Reach(nothing, nothing, tuple(picks)) if len(picks) == 1 and not reach.near else reach


def _of_key_alone(rule: Expr) -> bool:
    return isinstance(rule, Index) and [word for item in rule.items for word in names(item)] == ["b", "k"]


def _any(reaches: Iterable[Reach]) -> Reach:
    """What any of them reaches."""
    found = tuple(reaches)
    picked = dict.fromkeys(part for each in found for part in each.picked)
    return Reach(_most(x.before for x in found), _most(x.after for x in found), tuple(picked))


def _most(bounds: Iterable[Bound | None]) -> Bound | None:
    found = tuple(bounds)
    known = [bound for bound in found if bound is not None]
    return max(known, key=lambda x: x.value) if len(known) == len(found) else None


def _end(clause: Clause, kind: Side, places: Places) -> Bound | None:
    """How far an alternative goes on one side: the least that its bounds `k >= q - n`, `k <= q + n` say."""
    limits = sorted((term.expr for term in clause if term.kind == kind), key=repr)
    beside = [found for found in (offset(limit, places) for limit in limits) if found is not None]
    ends = (minus(ZERO, low) if kind == "lower" else high for low, high in beside)
    bounds = (_bound(end, places.numbers) for end in ends)
    return min((x for x in bounds if x is not None), key=lambda x: x.value, default=None)


def _bound(number: Expr, numbers: Mapping[str, Num]) -> Bound | None:
    """None where it is not known before the model runs, or is looked up."""
    known = {name: x.value for name, x in numbers.items() if type(x.value) is int}
    if not set(names(number)) <= set(known):
        return None
    try:
        return Bound(number, value(number, known))
    except (ZeroDivisionError, ValueError):
        return None
