"""The functions that expressions may call on numbers and lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from archspec.dims import num as n
from archspec.dims.expr import Call, Literal, exceeds
from archspec.dims.num import Num, NumError, Value

MAX_ITEMS = 10_000
MAX_LIST_DEPTH = 20

# Takes the call and its arguments. What it does not take raises TypeError, IndexError or ValueError;
# what has no answer raises ArithmeticError.
Function: TypeAlias = Callable[[Call, Sequence[Value]], Value]
Items: TypeAlias = "tuple[Value, ...]"


def bounded(items: Items) -> Items:
    """The list itself, if it is small: with the items of lists inside it, and how deep those go.

    Raises `NumError`.
    """
    for seen, depth in enumerate(_depths(items)):
        if seen >= MAX_ITEMS or depth > MAX_LIST_DEPTH:
            raise NumError(f"a list of more than {MAX_ITEMS} items, or {MAX_LIST_DEPTH} lists deep")
    return items


def repeated(items: Items, times: int) -> Items:
    """Raises `NumError`."""
    return bounded(items * (times if len(items) * times <= MAX_ITEMS else MAX_ITEMS + 1))


def _depths(items: Items) -> Iterator[int]:
    waiting: list[tuple[int, Value]] = [(1, item) for item in items]
    while waiting:
        depth, value = waiting.pop()
        yield depth
        if isinstance(value, tuple):
            waiting.extend((depth + 1, item) for item in value)


def _numbers(args: Sequence[Value]) -> list[Num]:
    out = [a for a in args if isinstance(a, Num)]
    if len(out) != len(args):
        raise TypeError
    return out


def _math(function: Callable[..., float]) -> Function:
    """Numbers in, a number out; the writing stays as the call."""

    def apply(call: Call, args: Sequence[Value]) -> Value:
        given = _numbers(args)
        value = function(*(a.real for a in given))
        written = Call(call.function, tuple(a.expr for a in given))
        if not abs(value) < n.MAX_MAGNITUDE:
            raise NumError(f"{call.function}() of {', '.join(map(str, given))} is out of range")
        plain = all(isinstance(a.expr, Literal) for a in given) or exceeds(written, n.MAX_WRITING)
        return Num(value, Literal(value) if plain else written)

    return apply


def _extreme(pick: Callable[..., float]) -> Function:
    """The arguments are the items, or one list holds them. One number is itself, also as it is written."""

    def apply(call: Call, args: Sequence[Value]) -> Value:
        items = args[0] if len(args) == 1 and isinstance(args[0], tuple) else args
        if len(items) == 1 and isinstance(items[0], Num):
            return items[0]
        return _math(lambda *values: pick(values))(call, items)

    return apply


def _list(function: Callable[[Items], Value]) -> Function:
    def apply(_: Call, args: Sequence[Value]) -> Value:
        (items,) = args
        if not isinstance(items, tuple):
            raise TypeError
        return function(items)

    return apply


def _range(_: Call, args: Sequence[Value]) -> Value:
    bounds = range(*(int(a) for a in _numbers(args)))
    if len(bounds) > MAX_ITEMS:
        raise NumError(f"a list of more than {MAX_ITEMS} items")
    return tuple(n.num(i) for i in bounds)


def _length(items: Items) -> Value:
    return n.num(len(items))


def _total(items: Items) -> Value:
    out = n.num(0)
    for item in _numbers(items):
        out = out + item
    return out


def _product(items: Items) -> Value:
    out = n.num(1)
    for item in _numbers(items):
        out = out * item
    return out


def _round_up(x: float, multiple: float) -> float:
    return -(-x // multiple) * multiple


def _whole(call: Call, args: Sequence[Value]) -> Value:
    """A number that has to be whole, as an integer: `whole(image_size / patch_size)`."""
    (x,) = _numbers(args)
    if x.real % 1:
        raise NumError(f"{x.described()} has to be whole")
    return _math(int)(call, args)


def _absolute(x: float) -> float:
    return abs(x)


FUNCTIONS: dict[str, Function] = {
    "min": _extreme(min),
    "max": _extreme(max),
    "abs": _math(_absolute),
    "round": _math(round),
    "floor": _math(math.floor),
    "ceil": _math(math.ceil),
    "int": _math(int),
    "float": _math(float),
    "whole": _whole,
    "sqrt": _math(math.sqrt),
    "log": _math(math.log),
    "log2": _math(math.log2),
    "exp": _math(math.exp),
    "round_up": _math(_round_up),
    "range": _range,
    "len": _list(_length),
    "first": _list(lambda items: items[0]),
    "last": _list(lambda items: items[-1]),
    "sum": _list(_total),
    "prod": _list(_product),
    "reversed": _list(lambda items: items[::-1]),
}
