"""Values that may make an expression equal to what is given. Proposals: each is tried before it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from archspec.dims import num as n
from archspec.dims.expr import Binary, Call, Conditional, Expr, Listing, Name, Unary
from archspec.dims.num import Num, NumError, Value
from archspec.importing.fields import reads

Evaluate = Callable[[Expr], Value]
_ROUNDING = frozenset({"int", "float", "round", "floor", "ceil"})


def roots(expr: Expr, target: Value, name: str, value_of: Evaluate) -> Iterator[Value]:
    """What the param `name` may be for `expr` to be `target`; `value_of` gives parts that do not read it."""
    match expr:
        case Name(id=id) if id == name:
            yield target
        case Unary(op="not", operand=inner) if isinstance(target, bool):
            yield from roots(inner, not target, name, value_of)
        case Unary(op="-", operand=inner) if isinstance(target, Num):
            yield from roots(inner, -target, name, value_of)
        case Binary():
            yield from _of_binary(expr, target, name, value_of)
        case Conditional(test=test, then=then, orelse=orelse):
            yield from roots(then, target, name, value_of)
            yield from roots(orelse, target, name, value_of)
            yield from (root for truth in (True, False) for root in roots(test, truth, name, value_of))
        case Call(function=function, args=(inner,)) if function in _ROUNDING:
            yield from roots(inner, target, name, value_of)
        case Listing(items=items) if isinstance(target, tuple) and len(items) == len(target):
            for item, value in zip(items, target, strict=True):
                yield from roots(item, value, name, value_of)
        case _ if isinstance(target, tuple):  # a pattern that comes again after so many
            yield from map(n.num, range(1, len(target) + 1))
        case _:
            return


def _of_binary(expr: Binary, target: Value, name: str, value_of: Evaluate) -> Iterator[Value]:
    if expr.op in ("and", "or"):
        yield from roots(expr.left, target, name, value_of)
        yield from roots(expr.right, target, name, value_of)
        return
    on_left, on_right = name in reads(expr.left), name in reads(expr.right)
    if on_left == on_right:
        return
    inner, other = (expr.left, expr.right) if on_left else (expr.right, expr.left)
    known = value_of(other)
    if expr.op in ("==", "!="):
        yield from roots(inner, known, name, value_of) if target is (expr.op == "==") else ()
    elif isinstance(target, Num) and isinstance(known, Num):
        try:
            root = _undone(expr.op, target, known, on_left=on_left)
        except NumError:
            return
        if root is not None:
            yield from roots(inner, root, name, value_of)


def _undone(op: str, target: Num, known: Num, *, on_left: bool) -> Num | None:
    """x for `x op known = target`, or `known op x = target`; whole where it can be."""
    match op:
        case "+":
            return target - known
        case "-":
            return target + known if on_left else known - target
        case "*":
            return _whole(target / known)
        case "/" | "//":
            return _whole(target * known if on_left else known / target)
        case _:
            return None


def _whole(number: Num) -> Num:
    value = number.value
    return n.num(int(value)) if isinstance(value, float) and value.is_integer() else number
