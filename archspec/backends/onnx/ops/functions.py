"""Functions of each element of one operand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import onnx_ir as ir

from archspec.backends.onnx.place import RULES, Args, Place, Result, island, operand
from archspec.ir.ops.elementwise import Map
from archspec.ir.types import is_float

Function: TypeAlias = Callable[[ir.Value, str, Place], ir.Value]
"""Of a value, its dtype in the IR, and the place."""

OPERATORS = {
    "sqrt": "Sqrt", "exp": "Exp", "log": "Log", "sin": "Sin", "cos": "Cos", "tanh": "Tanh", "erf": "Erf",
    "sigmoid": "Sigmoid", "elu": "Elu", "selu": "Selu", "hardswish": "HardSwish", "neg": "Neg", "not": "Not",
    "reciprocal": "Reciprocal", "abs": "Abs", "sign": "Sign", "round": "Round", "ceil": "Ceil",
    "floor": "Floor",
}  # fmt: skip
WHOLE = ("round", "floor", "ceil")  # what integers are already


@RULES.rule(Map)
def _map(op: Map, args: Args, place: Place) -> Result:
    x = operand(args)
    if op.fn in FUNCTIONS:
        return FUNCTIONS[op.fn](x.value, x.type.dtype, place)
    if op.fn in WHOLE and not is_float(x.type.dtype):
        return x
    return place.one(OPERATORS[op.fn], x.value)


def _rsqrt(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    return place.one("Reciprocal", place.one("Sqrt", x))


def _square(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    return place.one("Mul", x, x)


def _relu(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    return place.one("Relu", x) if is_float(dtype) else place.one("Max", x, place.scalar(0, dtype))


def _relu2(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    return _square(place.one("Relu", x), dtype, place)


def _silu(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    """ONNX Runtime fuses these two; its Swish of opset 24 takes 1.8 times as long."""
    return place.one("Mul", x, place.one("Sigmoid", x))


def _quick_gelu(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    """ONNX Runtime fuses these three."""
    return place.one("Mul", x, place.one("Sigmoid", place.one("Mul", x, place.scalar(1.702, dtype))))


def _gelu(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    if place.profile.has("Gelu"):
        return place.one("Gelu", x, approximate="none")
    # In this order ONNX Runtime fuses it.
    wave = place.one("Erf", place.one("Div", x, place.scalar(math.sqrt(2), dtype)))
    doubled = place.one("Mul", x, place.one("Add", wave, place.scalar(1, dtype)))
    return place.one("Mul", doubled, place.scalar(0.5, dtype))


def _gelu_tanh(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    """(1 + tanh(u)) / 2 is sigmoid(2 u), which takes fewer steps."""
    if place.profile.has("Gelu"):
        return place.one("Gelu", x, approximate="tanh")
    slope = 2 * math.sqrt(2 / math.pi)
    cubic = place.one("Mul", _square(x, dtype, place), place.scalar(0.044715 * slope, dtype))
    doubled = place.one("Mul", x, place.one("Add", cubic, place.scalar(slope, dtype)))
    return place.one("Mul", x, place.one("Sigmoid", doubled))


@island
def _expm1(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    """tanh(x / 2) * (e^x + 1): exact also where e^x is near 1."""
    half = place.one("Tanh", place.one("Mul", x, place.scalar(0.5, dtype)))
    return place.one("Mul", half, place.one("Add", place.one("Exp", x), place.scalar(1, dtype)))


@island
def _log1p(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    """log(u) + (x - (u - 1)) / u with u = 1 + x rounded: what rounding took off x is put back."""
    one = place.scalar(1, dtype)
    rounded = place.one("Add", x, one)
    lost = place.one("Sub", x, place.one("Sub", rounded, one))
    return place.one("Add", place.one("Log", rounded), place.one("Div", lost, rounded))


@island
def _softplus(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    """max(x, 0) + log1p(e^-|x|); ONNX Runtime's Softplus takes 7 times as long (32 ns an element)."""
    decayed = place.one("Exp", place.one("Neg", place.one("Abs", x)))
    return place.one("Add", place.one("Relu", x), _log1p(decayed, dtype, place))


@island
def _mish(x: ir.Value, dtype: str, place: Place) -> ir.Value:
    """x * n / (n + 2) with n = e^x (e^x + 2): x * tanh(softplus(x)), 17 times as fast as Mish."""
    two = place.scalar(2, dtype)
    raised = place.one("Exp", place.one("Min", x, place.scalar(20, dtype)))
    n = place.one("Mul", raised, place.one("Add", raised, two))
    return place.one("Div", place.one("Mul", x, n), place.one("Add", n, two))


FUNCTIONS: dict[str, Function] = {
    "rsqrt": _rsqrt, "square": _square, "relu": _relu, "relu2": _relu2, "silu": _silu, "gelu": _gelu,
    "gelu_tanh": _gelu_tanh, "quick_gelu": _quick_gelu, "expm1": _expm1, "log1p": _log1p,
    "softplus": _softplus, "mish": _mish,
}  # fmt: skip
