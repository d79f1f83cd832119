"""Tensor types: broadcasting and promotion against NumPy's rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.dims import num as n
from archspec.ir.types import (
    DTYPES,
    FLOATS,
    SHORT,
    ShapeError,
    axis_of,
    broadcast,
    divides,
    promote,
    share,
    whole,
)
from tests.ir.types import f, i, size, sizes

_SHAPES = st.lists(st.lists(st.sampled_from((1, 2, 3)), max_size=4).map(tuple), min_size=1, max_size=3)


def broadcast_sizes(shapes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    try:
        return tuple(int(d) for d in broadcast(*(sizes(*shape) for shape in shapes)))
    except ShapeError:
        return None


@given(_SHAPES)
def test_broadcasting_is_numpys(shapes: list[tuple[int, ...]]):
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        expected = None
    assert broadcast_sizes(shapes) == expected


@given(st.sampled_from(DTYPES), st.sampled_from(DTYPES))
def test_promotion_gives_the_kind_that_numpy_gives(a: str, b: str):
    assert promote(a, b) == promote(b, a)
    assert promote(a, b) in (a, b)
    if not {"float", "bfloat16"} & {a, b}:  # which NumPy does not know
        assert np.dtype(promote(a, b)).kind == np.result_type(a, b).kind


def test_floats_are_over_integers():
    assert all(promote(a, b) == a for a in FLOATS for b in set(DTYPES) - set(FLOATS))
    assert promote("float", "float32") == "float32"
    assert promote("bfloat16", "float") == "float"


def test_symbolic_sizes_broadcast_where_they_are_the_same():
    assert broadcast(sizes("S", 8), sizes(8)) == sizes("S", 8)
    assert broadcast(sizes("S", 1), sizes(1, "T")) == sizes("S", "T")
    with pytest.raises(ShapeError, match="do not broadcast: S against T"):
        broadcast(sizes("S"), sizes("T"))


def test_axes_count_from_either_end():
    assert [axis_of(f(1, 2, 3), axis) for axis in (0, 2, -1, -3)] == [0, 2, 2, 0]
    for axis in (3, -4):
        with pytest.raises(ShapeError, match=r"axis -?\d is outside float\[1, 2, 3\]"):
            axis_of(f(1, 2, 3), axis)


def test_whole_numbers():
    assert whole(n.num(3.0), "it") == 3
    for number, code in (
        (n.num(2.5), "T012"),
        (n.num(-1), "T012"),
        (n.num(float("inf")), "T012"),
        (size("S"), "T014"),
    ):
        with pytest.raises(ShapeError) as error:
            whole(number, "it")
        assert error.value.code == code


def test_divisors():
    divides(size("6 * S"), n.num(3), "no")
    for number, by in ((size("6 * S"), 4), (n.num(7), 2), (n.num(7.5), 2), (n.num(8), 0)):
        with pytest.raises(ShapeError):
            divides(number, n.num(by), "no")


def test_shares():
    share(n.num(0), "p")
    for number in (n.num(1), n.num(-0.1), n.num(float("nan")), size("S")):
        with pytest.raises(ShapeError):
            share(number, "p")


def test_spellings():
    assert str(f("B", 8)) == "float[B, 8]"
    assert i("B").with_dtype("bool").with_shape().rank == 0
    assert set(SHORT) == set(DTYPES)
    assert len(set(SHORT.values())) == len(DTYPES)
