"""A number's writing says its value, and stays within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.evaluate import evaluate
from archspec.dims.expr import Literal, Name, exceeds
from archspec.dims.num import Num, NumError, UnknownError
from archspec.dims.parse import parse

SCOPE: dict[str, Num] = {
    "hidden_size": n.named("hidden_size", 768),
    "num_heads": n.named("num_heads", 12),
    "zero": n.named("zero", 0),
    "one": n.named("one", 1),
    "theta": n.named("theta", 10000.0),
    "drop": n.named("drop", 0.1),
    "B": n.symbol("B"),
    "S": n.symbol("S"),
}
NODES_PER_ATOM = 10  # `+ 5 * (a // b) ** 2` has six of its own, and a constant added to each of a and b four
OPERATORS = ("+", "-", "*", "/", "//", "%", "**")
plain = st.one_of(st.integers(-20, 20), st.floats(-1e3, 1e3)).map(n.num)


def _combined(op: str, a: Num, b: Num) -> Num:
    try:
        return n.combine(op, a, b)
    except NumError:
        return a


def _negated(a: Num) -> Num:
    return -a


numbers = st.recursive(
    st.one_of(plain, st.sampled_from(sorted(SCOPE)).map(SCOPE.__getitem__)),
    lambda inner: st.one_of(
        st.builds(_combined, st.sampled_from(OPERATORS), inner, inner), st.builds(_negated, inner)
    ),
    max_leaves=12,
)


@given(numbers)
def test_the_writing_gives_the_value(number: Num):
    again = evaluate(number.expr, SCOPE.__getitem__)
    assert isinstance(again, Num)
    assert again == number
    assert type(again.value) is type(number.value)


@given(numbers)
def test_a_whole_number_is_an_integer_in_writing_too(number: Num):
    if isinstance(number.value, float) and not number.value.is_integer():
        with pytest.raises(NumError, match="not a whole number"):
            n.whole(number)
        return
    again = evaluate(n.whole(number).expr, SCOPE.__getitem__)
    assert again == n.whole(number) == number
    assert isinstance(again, Num)
    assert not isinstance(again.value, float)


@given(numbers)
def test_the_writing_is_text_that_parses_to_it(number: Num):
    again = evaluate(parse(str(number)), SCOPE.__getitem__)
    assert again == number


@given(numbers, numbers, st.sampled_from(OPERATORS))
def test_values_and_writings_stay_small(a: Num, b: Num, op: str):
    found = a
    for _ in range(40):
        found = _combined(op, found, b)
        assert not exceeds(found.expr, max(n.MAX_WRITING, NODES_PER_ATOM * n.MAX_ATOMS))
        if isinstance(found.value, poly.Poly):
            assert poly.extent(found.value)[0] <= n.MAX_ATOMS
        else:
            assert abs(found.value) < n.MAX_MAGNITUDE


def test_equality_is_of_values():
    hidden = SCOPE["hidden_size"]
    assert hidden == n.num(768)
    assert hash(hidden) == hash(n.num(768))
    assert hidden * 4 != hidden
    assert n.same(hidden // 64, SCOPE["num_heads"])


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (SCOPE["hidden_size"] * 4, "hidden_size * 4"),
        (4 * SCOPE["hidden_size"], "4 * hidden_size"),
        (SCOPE["hidden_size"] * 1, "hidden_size"),
        (SCOPE["hidden_size"] + 0, "hidden_size"),
        (SCOPE["hidden_size"] // 1, "hidden_size"),
        (SCOPE["hidden_size"] ** 1, "hidden_size"),
        (n.num(0) + SCOPE["S"], "S"),
        (SCOPE["drop"] // 1, "drop // 1"),
        (SCOPE["hidden_size"] * 1.0, "hidden_size * 1.0"),
        (n.num(3) * 4, "12"),
        (-n.num(3), "-3"),
        (-SCOPE["S"], "-S"),
        (SCOPE["S"] + -1, "S - 1"),
        (SCOPE["hidden_size"] + -1, "hidden_size - 1"),
        ((SCOPE["S"] * 8 - 1) // 2 + 1, "4 * S"),
        (SCOPE["hidden_size"] ** -0.5, "hidden_size**-0.5"),
        (n.product((SCOPE["B"], SCOPE["S"], n.num(2))), "B * S * 2"),
        (n.num(poly.add(poly.symbol("S"), 1)), "S + 1"),
        (n.product(()), "1"),
    ],
)
def test_writings(number: Num, written: str):
    assert str(number) == written


def test_a_long_writing_becomes_the_value():
    total = SCOPE["one"]
    for _ in range(100):
        total = total + SCOPE["one"]
    assert total.value == 101
    assert not exceeds(total.expr, n.MAX_WRITING)
    doubled = SCOPE["S"]
    for _ in range(40):
        doubled = doubled + doubled
    assert doubled == SCOPE["S"] * 2**40
    assert not exceeds(doubled.expr, n.MAX_WRITING)


@pytest.mark.parametrize(
    ("number", "described"),
    [
        (4 * SCOPE["hidden_size"], "4 * hidden_size = 3072"),
        (n.num(3), "3"),
        (SCOPE["S"] + 1, "S + 1"),
        (SCOPE["S"] + SCOPE["one"], "S + one = S + 1"),
    ],
)
def test_described(number: Num, described: str):
    assert number.described() == described


def test_reads_lists_the_names():
    assert n.reads(SCOPE["hidden_size"] // SCOPE["num_heads"] + 1) == {"hidden_size", "num_heads"}


@pytest.mark.parametrize(
    ("op", "a", "b", "message"),
    [
        ("//", n.num(4), n.num(0), "4 // 0 divides by zero"),
        ("%", n.num(4), SCOPE["zero"], "4 % zero divides by zero"),
        ("/", n.num(4), n.num(0), "4 / 0 divides by zero"),
        ("%", n.num(4.0), n.num(0), "4.0 % 0 divides by zero"),
        ("**", n.num(0), n.num(-1), "0 ** -1 divides by zero"),
        ("*", n.num(2**40), n.num(2**40), "out of range"),
        ("**", n.num(10), n.num(64), "out of range"),
        ("**", n.num(10), n.num(65), "out of range"),
        ("**", n.num(-2), n.num(0.5), "out of range"),
        ("**", n.num(2), SCOPE["S"], "out of range"),
        ("**", SCOPE["S"], n.num(9), "out of range"),
        ("*", SCOPE["S"], n.num(0.5), "out of range"),
        ("/", SCOPE["S"], n.num(2), "out of range"),
        ("+", n.num(float("inf")), n.num(1), "out of range"),
        ("*", SCOPE["S"] * 2**62, n.num(4), "out of range"),
    ],
)
def test_no_answer(op: str, a: Num, b: Num, message: str):
    with pytest.raises(NumError, match=message.replace("*", r"\*")):
        n.combine(op, a, b)


def test_quotients_do_not_nest_without_end():
    size = SCOPE["S"]
    with pytest.raises(NumError, match="out of range"):
        for _ in range(100):
            size = (size + 1) // 2


def test_polynomials_do_not_grow_without_end():
    total = n.num(0)
    for i in range(12):
        total = total + n.symbol(f"s{i}")
    with pytest.raises(NumError, match="out of range"):
        total**8  # pyright: ignore[reportUnusedExpression]  # the error is what is tested


def test_exact_quotient_of_a_symbolic_size():
    assert SCOPE["S"] * 4 / 2 == SCOPE["S"] * 2


def test_views():
    assert int(n.num(4.0)) == 4
    assert n.num(4.0).size == 4
    assert n.num(3).real == 3
    assert n.num(3).static
    assert not SCOPE["S"].static
    with pytest.raises(NumError, match="0.5 is 0.5, not a whole number"):
        int(n.num(0.5))
    with pytest.raises(UnknownError, match="S is known only when the model runs"):
        int(SCOPE["S"])
    with pytest.raises(UnknownError):
        _ = SCOPE["S"].real


def test_a_name_takes_over_the_writing():
    width = n.named("width", 4 * SCOPE["hidden_size"])
    assert (width.expr, width.value) == (Name("width"), 3072)
    assert n.num(width) is width
    assert n.num(3).expr == Literal(3)


def test_a_number_as_the_scope_around_writes_it():
    inner = {"dim": SCOPE["hidden_size"] // 2, "mode": "gelu", "unused": n.num(1)}
    size = n.named("dim", 384) * SCOPE["S"]
    outside = n.outward(size, inner)
    assert outside == size
    assert str(outside) == "hidden_size // 2 * S"
    assert str(n.outward(SCOPE["S"] + 1, inner)) == "S + 1"


def test_a_number_from_far_inside_is_written_as_its_value():
    size = n.named("a", 2)
    for _ in range(40):
        size = n.outward(n.named("a", 2) * 1, {"a": size + size - 2})
    assert size.value == 2
    assert not exceeds(size.expr, n.MAX_WRITING)
