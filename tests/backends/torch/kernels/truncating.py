"""Generated device functions run by Python, with whole numbers that divide as Triton's do: towards 0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from archspec.backends.torch.kernels import template

ROWS = (Path(template.__file__).parent / "rows.py").read_text("utf-8")
DIVISIONS = ROWS[ROWS.index("@triton.jit\ndef floor_div") :]


class Whole(int):
    """A whole number of Triton."""

    def __add__(self, other: int) -> Whole:
        return Whole(int(self) + int(other))

    def __sub__(self, other: int) -> Whole:
        return Whole(int(self) - int(other))

    def __rsub__(self, other: int) -> Whole:
        return Whole(int(other) - int(self))

    def __mul__(self, other: int) -> Whole:
        return Whole(int(self) * int(other))

    def __neg__(self) -> Whole:
        return Whole(-int(self))

    def __abs__(self) -> Whole:
        return Whole(abs(int(self)))

    def __floordiv__(self, other: int) -> Whole:
        return _quotient(self, other)

    def __rfloordiv__(self, other: int) -> Whole:
        return _quotient(other, self)

    def __mod__(self, other: int) -> Whole:
        return Whole(self - _quotient(self, other) * other)

    def __rmod__(self, other: int) -> Whole:
        return Whole(other - _quotient(other, self) * self)

    __radd__, __rmul__ = __add__, __mul__


def _quotient(a: int, b: int) -> Whole:
    whole = abs(int(a)) // abs(int(b))
    return Whole(whole if (a < 0) == (b < 0) else -whole)


class Pointer:
    """A vector in memory; what stands at a place is found by adding the place."""

    def __init__(self, values: Mapping[int, int]) -> None:
        self.values = values

    def __add__(self, place: int) -> Whole:
        return Whole(self.values[int(place)])


def _where(test: bool, then: int, orelse: int) -> Whole:
    return Whole(then if test else orelse)


def _cdiv(a: int, b: int) -> Whole:
    return Whole(a) + (b - 1) if b == 1 else (Whole(a) + (b - 1)) // b


def _minimum(a: int, b: int) -> Whole:
    return Whole(min(a, b))


def _maximum(a: int, b: int) -> Whole:
    return Whole(max(a, b))


def _same(x: Any) -> Any:
    return x


LANGUAGE = SimpleNamespace(
    minimum=_minimum,
    maximum=_maximum,
    where=_where,
    cdiv=_cdiv,
    abs=abs,
    load=_same,
    constexpr=object,
    float32=float,
)


def defined(functions: Iterable[list[str]]) -> dict[str, Callable[..., Any]]:
    """The functions of these lines."""
    text = "\n".join([DIVISIONS, *(line for lines in functions for line in lines)])
    scope: dict[str, Any] = {
        "triton": SimpleNamespace(jit=_same),
        "tl": LANGUAGE,
        "Any": Any,
        "Tensor": Any,
    }
    exec(compile(text, "<generated>", "exec", dont_inherit=True), scope)
    return scope
