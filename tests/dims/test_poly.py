"""Symbolic integers against plain integers, and against sympy."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st

from archspec.dims import poly
from archspec.dims.evaluate import evaluate
from archspec.dims.expr import write
from archspec.dims.num import Num, symbol
from archspec.dims.parse import parse
from archspec.dims.poly import Size

SYMBOLS = ("B", "S", "H")
POINTS = st.fixed_dictionaries({name: st.integers(1, 40) for name in SYMBOLS})
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}


@dataclass(frozen=True)
class Sum:
    """The same arithmetic three times: in our integers, in sympy's, and as a function of plain ones."""

    size: Size
    oracle: Any
    at: Callable[[Mapping[str, int]], int]


def _number(value: int) -> Sum:
    return Sum(value, sympy.Integer(value), lambda _: value)


def _symbol(name: str) -> Sum:
    return Sum(poly.symbol(name), sympy.Symbol(name, integer=True, positive=True), lambda point: point[name])


def _applied(op: str, a: Sum, b: Sum) -> Sum:
    sizes: dict[str, Callable[[Size, Size], Size]] = {
        "+": poly.add,
        "-": lambda x, y: poly.add(x, poly.neg(y)),
        "*": poly.mul,
        "//": lambda x, y: poly.divmod_(x, y)[0],
        "%": lambda x, y: poly.divmod_(x, y)[1],
    }
    assume(op not in ("//", "%") or (b.size != 0 and b.oracle != 0))
    try:
        size = sizes[op](a.size, b.size)
    except OverflowError:
        assume(False)
        raise
    oracle = sympy.floor(a.oracle / b.oracle) if op == "//" else _OPERATORS[op](a.oracle, b.oracle)
    return Sum(size, oracle, lambda point: _OPERATORS[op](a.at(point), b.at(point)))


def sums(*operators: str, leaves: int) -> st.SearchStrategy[Sum]:
    start = st.one_of(st.integers(-9, 9).map(_number), st.sampled_from(SYMBOLS).map(_symbol))
    return st.recursive(
        start, lambda inner: st.builds(_applied, st.sampled_from(operators), inner, inner), max_leaves=leaves
    )


polynomials = sums("+", "-", "*", leaves=8)
integers = sums("+", "-", "*", "//", "%", leaves=6)


def _at(size: Size, point: Mapping[str, int]) -> Size:
    return poly.evaluate(size, point)


@given(integers, POINTS)
def test_values_are_those_of_plain_integers(a: Sum, point: dict[str, int]):
    try:
        expected = a.at(point)
    except ZeroDivisionError:
        assume(False)
        return
    assert _at(a.size, point) == expected


@given(integers, POINTS)
def test_values_are_those_of_sympy(a: Sum, point: dict[str, int]):
    try:
        a.at(point)
    except ZeroDivisionError:
        assume(False)
    named = {sympy.Symbol(name, integer=True, positive=True): value for name, value in point.items()}
    assert _at(a.size, point) == int(a.oracle.subs(named))


@given(polynomials, polynomials)
def test_equal_where_sympy_says_so(a: Sum, b: Sum):
    assert (a.size == b.size) == (sympy.expand(a.oracle - b.oracle) == 0)


@given(polynomials, polynomials, polynomials)
def test_one_form_for_one_value(a: Sum, b: Sum, c: Sum):
    try:
        left = poly.mul(poly.add(a.size, b.size), c.size)
        right = poly.add(poly.mul(c.size, b.size), poly.mul(a.size, c.size))
    except OverflowError:
        assume(False)
        return
    assert left == right
    assert poly.add(left, poly.neg(right)) == 0


@given(integers)
def test_shown_text_reads_back(a: Sum):
    found = evaluate(parse(poly.show(a.size)), symbol)
    assert isinstance(found, Num)
    assert found.size == a.size


@given(polynomials, st.integers(0, 3))
def test_power_is_repeated_product(a: Sum, times: int):
    try:
        product: Size = 1
        for _ in range(times):
            product = poly.mul(product, a.size)
    except OverflowError:
        assume(False)
        return
    assert poly.power(a.size, times) == product


@given(polynomials, polynomials.filter(lambda b: b.size != 0))
def test_quotient_and_remainder_make_the_whole(a: Sum, b: Sum):
    try:
        quotient, rest = poly.divmod_(a.size, b.size)
    except OverflowError:
        assume(False)
        return
    point = {"B": 7, "S": 11, "H": 13}
    divisor = _at(b.size, point)
    assume(divisor != 0)
    found = poly.add(poly.mul(_at(quotient, point), divisor), _at(rest, point))
    assert found == _at(a.size, point)


@given(integers, integers)
def test_a_symbol_may_stand_for_a_sum(a: Sum, b: Sum):
    point = {"B": 3, "S": 5, "H": 7}
    try:
        inner = b.at(point)
        expected = a.at(point | {"S": inner})
        found = poly.evaluate(poly.evaluate(a.size, {"S": b.size}), point)
    except (ZeroDivisionError, OverflowError):
        assume(False)
        return
    assert found == expected


S, B = poly.symbol("S"), poly.symbol("B")


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0"),
        (poly.add(S, 1), "S + 1"),
        (poly.add(S, -1), "S - 1"),
        (poly.neg(S), "-S"),
        (poly.add(poly.mul(S, -2), B), "B - 2 * S"),
        (poly.mul(poly.mul(S, S), poly.mul(B, 3)), "3 * B * S**2"),
        (poly.divmod_(poly.add(S, 1), 2)[0], "(S + 1) // 2"),
        (poly.mul(poly.divmod_(S, 2)[1], B), "S % 2 * B"),
        (poly.power(poly.divmod_(S, B)[0], 2), "(S // B)**2"),
    ],
)
def test_shown(size: Size, shown: str):
    assert poly.show(size) == shown


@pytest.mark.parametrize(
    ("top", "bottom", "quotient", "rest"),
    [
        ("4*S", "4", "S", "0"),
        ("4*S + 5", "4", "S + 1", "1"),
        ("4*S - 5", "4", "S - 2", "3"),
        ("B*S", "S", "B", "0"),
        ("B*S + 1", "S", "B + 1 // S", "1 % S"),
        ("S", "S", "1", "0"),
        ("6*S", "4", "(6*S) // 4", "(6*S) % 4"),
        ("S + 1", "B + 1", "(S + 1) // (B + 1)", "(S + 1) % (B + 1)"),
    ],
)
def test_what_divides_comes_out(top: str, bottom: str, quotient: str, rest: str):
    sizes = [evaluate(parse(text), symbol) for text in (top, bottom, quotient, rest)]
    a, b, q, r = (x.size for x in sizes if isinstance(x, Num))
    assert poly.divmod_(a, b) == (q, r)


def test_symbols_are_found_inside_quotients():
    size = poly.mul(poly.divmod_(poly.add(S, 1), poly.add(B, 1))[0], poly.symbol("H"))
    assert poly.symbols(size) == {"S", "B", "H"}
    assert poly.extent(size) == (4, 2)


def test_products_are_bounded():
    wide: Size = 0
    for i in range(65):
        wide = poly.add(wide, poly.symbol(f"s{i}"))
    with pytest.raises(OverflowError):
        poly.mul(wide, wide)


def test_division_by_a_symbol_that_is_zero():
    with pytest.raises(ZeroDivisionError):
        poly.evaluate(poly.divmod_(B, S)[0], {"S": 0, "B": 1})


def test_a_tree_is_written_plainly():
    assert write(poly.tree(poly.add(poly.mul(S, 2), 3))) == "2 * S + 3"
