"""Tensor types as they are written, `int64[B, S]`, and how a block's signature takes what it is given."""

from __future__ import annotations

import re
from collections.abc import Mapping

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.evaluate import EvalError, describe, evaluate
from archspec.dims.expr import Expr, Listing, Name, names_in
from archspec.dims.num import Num, Value
from archspec.dims.parse import parse
from archspec.errors import did_you_mean
from archspec.ir.types import DTYPES, TensorType, is_float
from archspec.lowering.faults import FAULTS, Broken, located
from archspec.lowering.frame import Frame
from archspec.spec.names import value_refusal
from archspec.spec.node import Node, Scalar

_TYPE = re.compile(r"\s*([A-Za-z]\w*)?\s*(\[.*\])\s*\Z", re.DOTALL)


def read_type(text: str) -> tuple[str | None, tuple[Expr, ...]]:
    """`int64[B, S]` as dtype (None where left out) and size expressions, with offsets into `text`."""
    found = _TYPE.match(text)
    if not found:
        raise Problem(
            "S008",
            f"'{text}' is not a tensor type",
            hint="write it like 'int64[B, S]' or '[B, S, hidden_size]'",
        )
    dtype, shape = found.groups()
    if dtype and dtype not in DTYPES:
        hint = did_you_mean(dtype, DTYPES) or f"one of: {', '.join(DTYPES)}"
        raise EvalError("S008", f"unknown dtype '{dtype}'", Name(dtype, *found.span(1)), hint)
    listing = parse(" " * found.start(2) + shape)
    if not isinstance(listing, Listing):
        raise Problem("S008", f"'{shape}' is not a list of sizes", hint="write it like '[B, S, hidden_size]'")
    return dtype, listing.items


def declared_type(text: str, frame: Frame, dims: dict[str, None]) -> TensorType:
    """The type of a graph input: a name that is no param is a size known only when the model runs.

    Raises `Problem`, `EvalError`, `ExprSyntaxError`, `Broken`.
    """
    dtype, sizes = read_type(text)

    def lookup(name: str) -> Value:
        if name in frame.lowering.settings.failed:
            raise Broken
        if name not in frame.values and name != "past":
            dims.setdefault(name)
        return frame.values.get(name, n.symbol(name))

    for name in (name for size in sizes for name in names_in(size)):
        _check_size_name(name, frame)
    return TensorType(dtype or "float", tuple(_sized(size, evaluate(size, lookup)) for size in sizes))


def _check_size_name(name: Name, frame: Frame) -> None:
    reason = value_refusal(name.id) if name.id not in frame.values and name.id != "past" else None
    if reason:
        raise EvalError("S004", reason[0], name, reason[1])


def _sized(written: Expr, size: Value) -> Num:
    if not isinstance(size, Num):
        raise EvalError("S008", f"a size is a number, not {describe(size)}", written)
    if size.static and (isinstance(size.value, float) or size.real < 1):
        raise EvalError("S008", f"a size is a whole number from 1 up, not {size.described()}", written)
    return size


def match(frame: Frame, node: Scalar, given: TensorType, name: str, bound: dict[str, Num]) -> TensorType:
    """`given` under the names of a signature; a new name in it is bound to what it meets (also in `bound`).

    Raises `Problem` L010 where they differ, `LoweringError` where the signature cannot be read, `Broken`.
    """
    with located(node):
        dtype, sizes = read_type(str(node.value))
    message = f"'{name}' is declared {str(node.value).strip()}, but gets {given}"
    both_float = dtype is not None and is_float(dtype) and is_float(given.dtype)
    if len(sizes) != given.rank or not (dtype in (None, given.dtype) or both_float):
        raise Problem("L010", message)
    with located(node):
        wanted = [_bound(frame, size, actual, bound) for size, actual in zip(sizes, given.shape, strict=True)]
    for size, actual in zip(wanted, given.shape, strict=True):
        if not n.same(size, actual):
            raise Problem("L010", f"{message}: {size.described()} is not {actual.described()}")
    return TensorType(given.dtype, tuple(wanted))


def _bound(frame: Frame, expr: Expr, actual: Num, bound: dict[str, Num]) -> Num:
    """A size of a signature; a name that means nothing yet stands for what it meets."""
    if isinstance(expr, Name) and _is_new(frame, expr.id):
        _check_size_name(expr, frame)
        frame.values[expr.id] = Num(actual.value, expr)
        bound[expr.id] = actual
        return Num(actual.value, expr)
    return _sized(expr, evaluate(expr, lambda word: _size_value(frame, word)))


def _is_new(frame: Frame, name: str) -> bool:
    known = name in frame.values or name in frame.dims or name == "past"
    return not known and name not in frame.failed and name not in frame.lowering.settings.failed


def new_sizes(frame: Frame, declared: Node | None) -> frozenset[str]:
    """The names that a signature would bind."""
    if not isinstance(declared, Scalar) or not _TYPE.match(str(declared.value)):
        return frozenset()
    try:
        _, sizes = read_type(str(declared.value))
    except FAULTS:  # reported where it is read
        return frozenset()
    return frozenset(word.id for size in sizes for word in names_in(size) if _is_new(frame, word.id))


def _size_value(frame: Frame, word: str) -> Value:
    is_dim = word in frame.dims and word not in frame.values
    return n.symbol(word) if is_dim else frame.value(word)


def rebased(type_: TensorType, values: dict[str, Value], dims: Mapping[str, None]) -> TensorType:
    """The type, written only with names that mean the same in this scope."""
    return TensorType(type_.dtype, tuple(rebase(size, values, dims) for size in type_.shape))


def rebase(size: Num, values: dict[str, Value], dims: Mapping[str, None]) -> Num:
    """The number in a writing that this scope understands: its own if all its names agree, else the value."""

    def lookup(name: str) -> Value:
        is_dim = name not in values and (name in dims or name == "past")
        return n.symbol(name) if is_dim else values[name]

    try:
        again = evaluate(size.expr, lookup)
    except EvalError:  # not writable here
        again = None
    if isinstance(again, Num) and n.same(again, size):
        return size
    return n.num(size.value) if size.static else Num(size.value, parse(poly.show(size.size)))
