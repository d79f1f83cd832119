"""Which pairs share what a score looks up, and how the score changes with it."""

from __future__ import annotations

import math

import pytest

from archspec.backends.torch.kernels.derive import derivative
from archspec.backends.torch.kernels.description import Description, Looked
from archspec.backends.torch.kernels.learned import learned
from archspec.dims.expr import Index, write
from archspec.dims.parse import parse
from archspec.ir.tiles.plan import plan

X = parse("x[h]")


def described(score: str) -> Description:
    tensors = (Looked("t", 1, "float"), Looked("to", 1, "int"), Looked("in_", 2, "int"))
    return Description(plan(None, {}, {}), parse(score), tensors, (("far", "int"), ("n", "int")))


@pytest.mark.parametrize(
    ("score", "walk", "axes"),
    [
        ("t[h] * (k - q)", "query", "h"),
        ("t[h, q]", "query", "hq"),
        ("t[to[h]]", "query", ""),
        ("t[b, k]", "key", "bk"),
        ("t[h, n - k]", "key", ""),
        ("t[h, k - q + far]", "distance", ""),
        ("t[h, k + far - q]", "distance", ""),
        ("t[h, min(max(q - k, 0 - far), far) + far]", "distance", ""),
        ("t[h, abs(2 * q - 2 * k) // n]", "distance", ""),
        ("t[to[k - q + far], h]", "distance", ""),
        ("t[h, to[q - k] * n + h]", "distance", ""),
        ("t[h, 2 * k - q]", "pair", ""),
        ("t[h, q // n - k // n]", "pair", ""),
        ("t[in_[q, k], h]", "pair", ""),
        ("t[b, h, q, k]", "pair", "bhqk"),
        ("t[h, q - start, k]", "pair", "hqk"),
        ("t[q, h, k]", "pair", ""),
    ],
)
def test_walks(score: str, walk: str, axes: str) -> None:
    (found,) = learned(described(score))
    assert (found.walk, found.axes) == (walk, axes)


def test_numbers_that_say_where_to_look_do_not_learn() -> None:
    found = learned(described("t[to[q]] + 0 * to[k]"))
    assert [write(x.read) for x in found] == ["t[to[q]]"]


@pytest.mark.parametrize(
    ("score", "slope"),
    [
        ("x[h]", "1.0"),
        ("-x[h]", "-1.0"),
        ("y - x[h]", "-1.0"),
        ("x[h] * (k - q)", "k - q"),
        ("x[h] * x[h]", "x[h] + x[h]"),
        ("x[k] + y", "0.0"),
        ("t[x[h]]", "0.0"),
        ("exp(x[h]) * y", "exp(x[h]) * y"),
        ("min(x[h], y)", "1.0 if x[h] <= y else 0.0"),
        ("x[h] if k < q else y", "1.0 if k < q else 0.0"),
    ],
)
def test_slopes_as_people_write_them(score: str, slope: str) -> None:
    assert isinstance(X, Index)
    assert write(derivative(parse(score), X)) == slope


@pytest.mark.parametrize("x", [0.7, -1.3, 2.9])
@pytest.mark.parametrize(
    "score",
    [
        "x[h] * x[h] * y - x[h] / y", "y / x[h]", "exp(x[h] * y) / (1 + exp(x[h]))", "log(abs(x[h]) + 2)",
        "sqrt(x[h] * x[h] + 1)", "max(x[h], y, -x[h] * 2)", "min(x[h] * 3, 2 - x[h], y)", "abs(x[h] - 1) * y",
        "-(x[h] - y) * -x[h]", "x[h] ** 3 * y", "x[h] % 2 * y", "x[h] * y if y > 1 else x[h]",
    ],
)  # fmt: skip
def test_slopes_are_those_of_differences(score: str, x: float) -> None:
    assert isinstance(X, Index)
    words = {
        "exp": math.exp,
        "log": math.log,
        "sqrt": math.sqrt,
        "abs": abs,
        "min": min,
        "max": max,
        "h": 0,
        "y": 1.7,
    }

    def at(text: str, value: float) -> float:
        return eval(text, {**words, "x": [value]})

    step = 1e-6
    true = (at(score, x + step) - at(score, x - step)) / (2 * step)
    assert at(write(derivative(parse(score), X)), x) == pytest.approx(true, rel=1e-6, abs=1e-8)


def test_no_slope_of_a_rounded_number() -> None:
    assert isinstance(X, Index)
    with pytest.raises(ValueError, match="no derivative of 'x"):
        derivative(parse("x[h] // 2"), X)
