"""Expressions as Triton's text mean what they mean in a spec, although Triton divides towards 0."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archspec.backends.torch.code import Code
from archspec.backends.torch.kernels.printer import Printer
from archspec.dims.expr import Expr, Index, write
from archspec.dims.parse import parse
from archspec.ir.tiles.values import value
from tests.backends.torch.kernels.truncating import Whole, defined

ATOMS = st.sampled_from(["q", "k", "start", "N", "w", "3", "-2", "h"])
NUMBERS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner)
        | st.builds(
            "({} {} {})".format, inner, st.sampled_from(["//", "%"]), st.sampled_from(["N", "d", "4"])
        )
        | st.builds("({0} + {1} - 1) // {1}".format, inner, st.sampled_from(["N", "d"]))
        | st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner)
        | st.builds("abs({})".format, inner)
        | st.builds("-({})".format, inner)
        | st.builds("({} if {} < {} else {})".format, inner, inner, inner, inner)
    ),
    max_leaves=6,
)
TESTS = st.recursive(
    st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["<", "<=", "==", "!=", ">=", ">"]), NUMBERS),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("not ({})".format, inner)
    ),
    max_leaves=3,
)
PLACES = st.fixed_dictionaries(
    {
        "q": st.integers(-20, 40), "start": st.integers(-20, 20), "w": st.integers(-9, 9),
        "k": st.integers(0, 40), "h": st.integers(0, 3), "N": st.integers(1, 9), "d": st.integers(1, 9),
    }
)  # fmt: skip


def no_lookup(expr: Index) -> Code:
    raise AssertionError(f"no tensor is looked up in {write(expr)}")


def printed(expr: Expr) -> str:
    return Printer(no_lookup).text(expr)


@given(NUMBERS, PLACES)
@example("q // d", {"q": -1, "d": 3})
@example("(start + N - 1) // N", {"start": -7, "N": 4})
def test_numbers(text: str, places: dict[str, int]) -> None:
    expr = parse(text)
    whole = {word: Whole(x) for word, x in places.items()}
    assert eval(printed(expr), {**defined([]), **whole}) == value(expr, places)


@given(TESTS, PLACES)
def test_rules(text: str, places: dict[str, int]) -> None:
    """Triton's `~` is for booleans; here it is Python's, whose lowest bit says the same."""
    expr = parse(text)
    whole = {word: Whole(x) for word, x in places.items()}
    assert eval(printed(expr), {**defined([]), **whole}) & 1 == value(expr, places)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k <= q and q - k < w", "(k <= q) & (q - k < w)"),
        ("k <= q and (k < g or q - k < w)", "(k <= q) & ((k < g) | (q - k < w))"),
        ("not k <= q", "~(k <= q)"),
        ("k // c == q // c", "k // c == floor_div(q, c)"),
        ("(q - k) % d == 0", "floor_mod(q - k, d) == 0"),
        ("(K + N - 1) // N", "tl.cdiv(K, N)"),
        ("min(q, k, w)", "tl.minimum(tl.minimum(q, k), w)"),
        ("a - (b - c)", "a - (b - c)"),
        ("a if k < q else b", "tl.where(k < q, a, b)"),
        ("log(abs(q - k) + 1.5)", "tl.log(tl.abs(q - k) + 1.5)"),
    ],
)
def test_texts(text: str, expected: str) -> None:
    assert printed(parse(text)) == expected


@pytest.mark.parametrize("text", ["q @ k", "sin(q)", "[q, k]", "'word'"])
def test_what_a_kernel_cannot_compute_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="kernel"):
        printed(parse(text))
