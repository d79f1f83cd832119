"""Expressions as functions of the numbers in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.dims.parse import parse
from archspec.ir.tiles.values import function, value

TEXTS = [
    "-a // 3 + b % 4", "abs(a - b) * 2", "min(a, b, 3) + max(a, -b)", "a if a < b else b",
    "(a != b and a <= b) + (not a == b)", "(a > 0 or b >= 0) + 1",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@given(a=st.integers(-9, 9), b=st.integers(-9, 9))
def test_values_are_those_of_python(text: str, a: int, b: int):
    assert function(parse(text))({"a": a, "b": b}) == eval(text, {}, {"a": a, "b": b})


def test_elements_of_tensors_go_by_their_writing():
    assert value(parse("q - window[h] + 1"), {"q": 9, "window[h]": 4}) == 6


@pytest.mark.parametrize("text", ["c > 0 and q // c == 1", "c < 1 or q % c == 1", "q if c == 0 else q // c"])
def test_what_is_decided_before_is_not_computed(text: str):
    assert value(parse(text), {"q": 3, "c": 0}) in (False, True, 3)


def test_numbers_may_lack_when_it_is_called_but_words_are_refused_before():
    with pytest.raises(KeyError):
        value(parse("q - w"), {"q": 1})
    for text in ("sqrt(q)", "q ** 2", "2.5"):
        with pytest.raises(ValueError, match="no arithmetic of whole numbers"):
            function(parse(text))
