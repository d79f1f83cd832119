"""How far a mask lets a query look: what its rule says of the distance between a query and a key.

Whatever reads a mask by blocks (a banded attention, a count of pairs) starts from here. The answer is never
too narrow: every pair that the rule lets through is within reach; it may be wider than the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from msgspec import Struct

from archspec.dims.expr import Binary, Call, Expr, Index, Literal, Name, Unary, names
from archspec.dims.num import Num
from archspec.ir.tiles.values import value


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
    match rule:
        case Binary(op="and", left=a, right=b):
            return _both(reach_of(a, numbers), reach_of(b, numbers))
        case Binary(op="or", left=a, right=b):
            return _either(_part(a, numbers), _part(b, numbers))
        case Binary(op="<" | "<=" | "==" as op, left=a, right=b):
            return _compared(a, b, op, numbers)
        case Binary(op=">" | ">=" as op, left=a, right=b):
            return _compared(b, a, op.replace(">", "<"), numbers)
        case _:
            return Reach()


def _part(rule: Expr, numbers: Mapping[str, Num]) -> Reach:
    """The reach of an alternative: a condition of the key alone adds keys, wherever they are."""
    nothing = Bound(Literal(0), -1)
    alone = isinstance(rule, Index) and [word for item in rule.items for word in names(item)] == ["b", "k"]
    return Reach(nothing, nothing, (rule,)) if alone else reach_of(rule, numbers)


def _both(a: Reach, b: Reach) -> Reach:
    return Reach(_least(a.before, b.before), _least(a.after, b.after), (*a.picked, *b.picked))


def _least(a: Bound | None, b: Bound | None) -> Bound | None:
    return min((x for x in (a, b) if x is not None), key=lambda x: x.value, default=None)


def _either(a: Reach, b: Reach) -> Reach:
    return Reach(_most(a.before, b.before), _most(a.after, b.after), (*a.picked, *b.picked))


def _most(a: Bound | None, b: Bound | None) -> Bound | None:
    return None if a is None or b is None else max(a, b, key=lambda x: x.value)


def _compared(a: Expr, b: Expr, op: str, numbers: Mapping[str, Num]) -> Reach:
    """What a < b, a <= b or a == b says of q - k."""
    if op == "==":
        return _both(_compared(a, b, "<=", numbers), _compared(b, a, "<=", numbers))
    if isinstance(a, Call) and a.function == "abs":
        sides = (_compared(x, b, op, numbers) for x in (a.args[0], Unary("-", a.args[0])))
        return reduce(_both, sides)
    terms = _terms(Binary("-", b, a))
    terms = terms and _without_quotients(terms, numbers)
    if terms is None:
        return Reach()
    ahead = {word: sum(sign for sign, term in terms if term == Name(word)) for word in ("q", "k")}
    rest = [(sign, term) for sign, term in terms if term not in (Name("q"), Name("k"))]
    bound = _bound([*rest, (-1, Literal(1))] if op == "<" else rest, numbers)
    if ahead == {"q": -1, "k": 1}:  # 0 <= k - q + bound
        return Reach(before=bound)
    return Reach(after=bound) if ahead == {"q": 1, "k": -1} else Reach()


def _without_quotients(
    terms: list[tuple[int, Expr]], numbers: Mapping[str, Num]
) -> list[tuple[int, Expr]] | None:
    """Of `0 <= x // c - y // c + n`, which is `0 <= x - y + c - 1 + n * c` or less; other terms as they are.

    None where quotients stand in it in any other way.
    """
    divided = [(sign, x) for sign, x in terms if isinstance(x, Binary) and x.op == "//" and _places(x)]
    if not divided:
        return terms
    rest = [term for term in terms if term not in divided]
    by = {x.right for _, x in divided}
    if len(divided) != 2 or len(by) != 1 or any(_places(x) for _, x in rest):
        return None
    (c,) = by
    inside = [_terms(x.left, sign) for sign, x in divided]
    if sum(sign for sign, _ in divided) or (_value(c, numbers) or 0) < 1 or None in inside:
        return None
    further = [(sign, Binary("*", x, c)) for sign, x in rest]
    return [*(term for terms in inside if terms for term in terms), *further, (1, c), (-1, Literal(1))]


def _places(expr: Expr) -> set[str]:
    return set(names(expr)) & {"b", "h", "q", "k"}


def _terms(expr: Expr, sign: int = 1) -> list[tuple[int, Expr]] | None:
    """A sum as its terms with their signs; None for what is no sum of places and numbers."""
    match expr:
        case Unary(op="-", operand=x):
            return _terms(x, -sign)
        case Binary(op="+" | "-" as op, left=a, right=b):
            left, right = _terms(a, sign), _terms(b, sign if op == "+" else -sign)
            return None if left is None or right is None else left + right
        case Literal() | Name():
            return [(sign, expr)]
        case Binary(op="*" | "//"):
            return [(sign, expr)]
        case _:
            return None


def _bound(terms: Iterable[tuple[int, Expr]], numbers: Mapping[str, Num]) -> Bound | None:
    """The sum of numbers; None where one is not known before the model runs, or is looked up."""
    total, written = 0, None
    for sign, term in sorted(terms, key=lambda pair: -pair[0]):
        value = _value(term, numbers)
        if value is None:
            return None
        total += sign * value
        written = _added(written, sign, term)
    return Bound(written or Literal(0), total)


def _added(written: Expr | None, sign: int, term: Expr) -> Expr:
    if written is None:
        return term if sign > 0 else Unary("-", term)
    return Binary("+" if sign > 0 else "-", written, term)


def _value(term: Expr, numbers: Mapping[str, Num]) -> int | None:
    known = {name: x.value for name, x in numbers.items() if type(x.value) is int}
    if not set(names(term)) <= set(known):
        return None
    try:
        return value(term, known)
    except (ZeroDivisionError, ValueError):
        return None
