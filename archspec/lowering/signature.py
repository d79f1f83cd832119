"""Tensor types as they are written, `int64[B, S]`, and how a block's signature takes what it is given."""

from __future__ import annotations

import re

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.evaluate import evaluate
from archspec.dims.expr import Expr, Listing, Name
from archspec.dims.num import Num, Value
from archspec.dims.parse import parse
from archspec.errors import did_you_mean
from archspec.ir.types import DTYPES, TensorType
from archspec.lowering.frame import Frame

_TYPE = re.compile(r"\s*([A-Za-z]\w*)?\s*(\[.*\])\s*\Z", re.DOTALL)


def read_type(text: str) -> tuple[str | None, tuple[Expr, ...]]:
    """`int64[B, S]` as dtype (None where left out) and size expressions."""
    found = _TYPE.match(text)
    if not found:
        raise Problem(
            "S008",
            f"'{text}' is not a tensor type",
            hint="write it like 'int64[B, S]' or '[B, S, hidden_size]'",
        )
    dtype, shape = found.groups()
    if dtype and dtype not in DTYPES:
        raise Problem(
            "S008",
            f"unknown dtype '{dtype}'",
            hint=did_you_mean(dtype, DTYPES) or f"one of: {', '.join(DTYPES)}",
        )
    listing = parse(shape)
    if not isinstance(listing, Listing):
        raise Problem("S008", f"'{shape}' is not a list of sizes")
    return dtype, listing.items


def declared_type(text: str, values: dict[str, Value], dims: dict[str, None]) -> TensorType:
    """The type of a graph input: a name that is no param is a size known only when the model runs."""
    dtype, sizes = read_type(text)

    def lookup(name: str) -> Value:
        if name not in values and name != "past":
            dims.setdefault(name)
        return values.get(name, n.symbol(name))

    shape = tuple(evaluate(size, lookup) for size in sizes)
    for size in shape:
        if not isinstance(size, Num):
            raise Problem("S008", f"'{text}' has a size that is no number")
    return TensorType(dtype or "float", tuple(s for s in shape if isinstance(s, Num)))


def match(frame: Frame, text: str, given: TensorType, name: str, bound: dict[str, Num]) -> TensorType:
    """`given` under the names of a signature; a new name in it is bound to what it meets (also in `bound`).

    Raises `Problem` L010 where they differ.
    """
    dtype, sizes = read_type(text)
    if len(sizes) != given.rank:
        raise Problem("L010", f"'{name}' is declared {text.strip()}, but gets {given}", name)
    if dtype and dtype != given.dtype and not (dtype.startswith("float") and given.dtype.startswith("float")):
        raise Problem("L010", f"'{name}' is declared {dtype}, but gets {given}", name)
    shape = tuple(
        _size(frame, size, actual, name, bound) for size, actual in zip(sizes, given.shape, strict=True)
    )
    return TensorType(given.dtype, shape)


def _size(frame: Frame, expr: Expr, actual: Num, name: str, bound: dict[str, Num]) -> Num:
    if (
        isinstance(expr, Name)
        and expr.id not in frame.values
        and expr.id not in frame.lowering.dims
        and expr.id != "past"
    ):
        frame.values[expr.id] = Num(actual.value, expr)
        bound[expr.id] = actual
        return Num(actual.value, expr)
    value = evaluate(
        expr,
        lambda word: (
            n.symbol(word) if word in frame.lowering.dims and word not in frame.values else frame.value(word)
        ),
    )
    if not isinstance(value, Num) or not n.same(value, actual):
        shown = value.described() if isinstance(value, Num) else str(value)
        raise Problem("L010", f"'{name}' is declared with {shown}, but gets {actual.described()}", name)
    return value


def rebased(type_: TensorType, values: dict[str, Value], dims: dict[str, None]) -> TensorType:
    """The type, written only with names that mean the same in this scope."""
    return TensorType(type_.dtype, tuple(rebase(size, values, dims) for size in type_.shape))


def rebase(size: Num, values: dict[str, Value], dims: dict[str, None]) -> Num:
    """The number in a writing that this scope understands: its own if all its names agree, else the value."""

    def lookup(name: str) -> Value:
        return (
            values[name]
            if name in values
            else n.symbol(name)
            if name in dims or name == "past"
            else _unknown(name)
        )

    try:
        again = evaluate(size.expr, lookup)
    except Exception:  # noqa: BLE001  (any failure means: not writable here)
        again = None
    if isinstance(again, Num) and n.same(again, size):
        return size
    return n.num(size.value) if size.static else Num(size.value, parse(poly.show(size.size)))


def _unknown(name: str) -> Value:
    raise KeyError((name,))
