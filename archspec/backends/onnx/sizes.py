"""Sizes in an ONNX graph: an integer where it is known, else a tensor that is computed from shapes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import onnx_ir as ir

from archspec.backends.onnx.tape import Tape
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num
from archspec.dims.poly import Atom, Poly, Size, Symbol
from archspec.errors import Diagnostic, UnsupportedError

Known: TypeAlias = int | ir.Value
"""An integer, or an int64 tensor [1] that holds it."""
Placed: TypeAlias = int | tuple[ir.Value, int] | ir.Value | Callable[[], ir.Value]
"""An integer, the tensor and axis that have it, or an int64 tensor [1], perhaps made when asked for."""


class Sizes:
    """What each size that is known only at run time is: an integer, or the tensor and axis that has it."""

    def __init__(self, tape: Tape, names: Mapping[str, str]) -> None:
        self.tape, self.names = tape, names
        self._places: dict[str, Placed] = {}
        self._axes: dict[Poly, tuple[ir.Value, int]] = {}

    def on(self, tape: Tape) -> Sizes:
        """The same sizes, computed on another tape."""
        other = Sizes(tape, self.names)
        other._places, other._axes = self._places, self._axes
        return other

    @contextmanager
    def inside(self, symbol: str, place: Placed, label: str) -> Generator[None]:
        """`symbol` is this inside, and shapes call it `label`."""
        places, names = self._places, self.names
        self._places, self.names = {**places, symbol: place}, {**names, symbol: label}
        yield
        self._places, self.names = places, names

    def bind(self, symbol: str, place: Placed) -> None:
        """`symbol` is an integer, the size of a tensor's axis, or a tensor [1]; the first binding stays."""
        self._places.setdefault(symbol, place)

    def learn(self, size: Num, value: ir.Value, axis: int) -> None:
        """An axis of an input has this size: a symbol, a multiple of one, or more."""
        plain = self.plain(size)
        if isinstance(plain, int):
            return
        match plain.terms:
            case ((((Symbol(name=name), 1),), 1),):
                self.bind(name, (value, axis))
            case ((((Symbol(name=name), 1),), times),):
                self.bind(name, partial(self._share, value, axis, times))
            case _:
                pass
        self._axes.setdefault(plain, (value, axis))

    def _share(self, value: ir.Value, axis: int, times: int) -> ir.Value:
        return self.tape.one("Div", self._length(value, axis, "size"), self.tape.integers(times), name="size")

    def known(self, symbol: str) -> bool:
        return symbol in self._places

    def plain(self, size: Num) -> Size:
        """The value, with sizes that are integers in this graph put in."""
        given = {name: place for name, place in self._places.items() if isinstance(place, int)}
        return poly.evaluate(size.size, given)

    def of(self, size: Num) -> Known:
        """A size as an integer, or as an int64 tensor [1]."""
        return self._value(self.plain(size))

    def tensor(self, size: Num) -> ir.Value:
        """A size as an int64 tensor [1]."""
        return self.vector([size])

    def vector(self, sizes: Sequence[Num]) -> ir.Value:
        """Sizes as one int64 tensor."""
        known = [self.of(size) for size in sizes]
        return self.joined(known)

    def joined(self, known: Sequence[Known]) -> ir.Value:
        """Integers and tensors [1] as one int64 tensor."""
        if all(isinstance(size, int) for size in known):
            return self.tape.integers(*(size for size in known if isinstance(size, int)))
        parts = [self.tape.integers(size) if isinstance(size, int) else size for size in known]
        return parts[0] if len(parts) == 1 else self.tape.one("Concat", *parts, axis=0, name="shape")

    def label(self, size: Num) -> int | str:
        """A size as the shape of a value says it: names as clients know them."""
        plain = self.plain(size)
        if isinstance(plain, int):
            return plain
        text = poly.show(plain)
        return self.names.get(text) or self._renamed(plain)

    def _renamed(self, size: Poly) -> str:
        renamed = {name: poly.symbol(self.names.get(name, name)) for name in poly.symbols(size)}
        found = poly.evaluate(size, renamed)
        return poly.show(found)

    def _value(self, size: Size) -> Known:
        if isinstance(size, int):
            return size
        if size in self._axes:
            value, axis = self._axes[size]
            return self._length(value, axis, self.names.get(poly.show(size), "size"))
        total: Known | None = None
        for monomial, coefficient in size.terms:
            term: Known = coefficient
            for atom, power in monomial:
                for _ in range(power):
                    term = self._combined("Mul", term, self._atom(atom))
            total = term if total is None else self._combined("Add", total, term)
        assert total is not None, "a polynomial has terms"
        return total

    def _atom(self, atom: Atom) -> Known:
        if isinstance(atom, Symbol):
            return self._symbol(atom.name)
        top, bottom = self._value(_plain(atom.top)), self._value(_plain(atom.bottom))
        if atom.op == "%":
            return self._combined("Mod", top, bottom)
        if any(coefficient < 0 for part in (atom.top, atom.bottom) for _, coefficient in part.terms):
            top = self._combined("Sub", top, self._combined("Mod", top, bottom))  # `Div` rounds toward 0
        return self._combined("Div", top, bottom)

    def _symbol(self, name: str) -> Known:
        if name not in self._places:
            hint = "take an input that has it, or fix it to a number"
            message = f"no input of the model tells the size '{name}'"
            raise UnsupportedError(Diagnostic("O022", message, None, hint))
        match self._places[name]:
            case (value, axis):
                return self._length(value, axis, self.names.get(name, name))
            case int() | ir.Value() as known:
                return known
            case make:
                return make()

    def _length(self, value: ir.Value, axis: int, name: str) -> ir.Value:
        return self.tape.one("Shape", value, start=axis, end=axis + 1, name=name)

    def _combined(self, kind: str, a: Known, b: Known) -> Known:
        if kind == "Mul" and a == 1:
            return b
        if kind == "Mul" and b == 1:
            return a
        a, b = (self.tape.integers(x) if isinstance(x, int) else x for x in (a, b))
        return self.tape.one(kind, a, b, name="size")


def symbol_of(size: Num) -> str | None:
    """The name of a size that is a symbol and nothing else."""
    plain = size.value
    names = poly.symbols(plain) if isinstance(plain, poly.Poly) else frozenset[str]()
    return next(iter(names)) if len(names) == 1 and plain == poly.symbol(next(iter(names))) else None


def beside(size: Num, symbol: str) -> Num | None:
    """x of `symbol + x`, which does not have that symbol."""
    if not _has(size, symbol):
        return None
    rest = size - n.symbol(symbol)
    return None if _has(rest, symbol) else rest


def _has(size: Num, symbol: str) -> bool:
    return isinstance(size.value, poly.Poly) and symbol in poly.symbols(size.value)


def _plain(size: Poly) -> Size:
    return size.terms[0][1] if len(size.terms) == 1 and size.terms[0][0] == () else size


__all__ = ["Known", "Sizes", "beside", "symbol_of"]
