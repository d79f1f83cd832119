"""Element by element."""

from __future__ import annotations

from archspec.backends.torch.code import (
    BIT_AND,
    BIT_OR,
    COMPARE,
    PRODUCT,
    SUM,
    Code,
    Emission,
)
from archspec.backends.torch.ops.dtypes import cast, promoted, settle
from archspec.backends.torch.ops.rules import RULES, Args, operand, type_of
from archspec.backends.torch.ops.write import (
    binary,
    call,
    comparison,
    is_plain,
    method,
    numbers,
    power,
    runtime,
    says,
    unary,
)
from archspec.ir.ops.elementwise import (
    Arith,
    Clamp,
    Compare,
    CompareScalar,
    Dropout,
    Logic,
    Map,
    Scalar,
    StopGradient,
    Where,
)
from archspec.ir.types import is_float

_FUNCTIONS = ("relu", "gelu", "silu", "softplus", "mish", "hardswish", "elu", "selu")
_OPERATORS = {
    "add": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT), "div": ("/", PRODUCT),
    "floordiv": ("//", PRODUCT), "mod": ("%", PRODUCT),
}  # fmt: skip
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


@RULES.rule(Map)
def map_(op: Map, args: Args, place: Emission) -> Code:
    x = operand(args)
    if op.fn in ("neg", "not"):
        return unary("-" if op.fn == "neg" else "~", x)
    if op.fn == "gelu_tanh":
        return call(place, "F.gelu", x, approximate='"tanh"')
    if op.fn == "quick_gelu":
        return runtime(place, "activation", "quick_gelu", x)
    if op.fn == "relu2":
        return method(call(place, "F.relu", x), "square")
    return call(place, f"F.{op.fn}", x) if op.fn in _FUNCTIONS else method(x, op.fn)


@RULES.rule(Arith)
def arith(op: Arith, args: Args, place: Emission) -> Code:
    types, want = (type_of(place), type_of(place, 1)), place.outputs[0].dtype
    a, b = operand(args), operand(args, 1)
    if op.fn == "sub":  # torch subtracts no booleans
        a, b = (cast(place, x, want) if t.dtype == "bool" else x for x, t in zip((a, b), types, strict=True))
    extreme = op.fn in ("minimum", "maximum")
    out = call(place, f"torch.{op.fn}", a, b) if extreme else _arithmetic(op.fn, a, b)
    return settle(place, out, promoted(want, *types))


def _arithmetic(fn: str, a: Code, b: Code) -> Code:
    if fn == "pow":
        return power(a, b)
    symbol, level = _OPERATORS[fn]
    if fn in ("add", "sub") and b.text.startswith("-") and is_plain(b.text[1:]):
        return _arithmetic("sub" if fn == "add" else "add", a, Code(b.text[1:]))
    return binary(symbol, a, b, level)


@RULES.rule(Scalar)
def scalar(op: Scalar, args: Args, place: Emission) -> Code:
    x, value = operand(args), place.number(op.value)
    if op.fn in ("minimum", "maximum"):
        out = method(x, "clamp", **{"max" if op.fn == "minimum" else "min": value})
    else:
        out = _arithmetic(op.fn, value, x) if op.flip else _arithmetic(op.fn, x, value)
    have, want = type_of(place).dtype, place.outputs[0].dtype
    return settle(place, out, want if have == want else None)


@RULES.rule(Compare)
def compare(op: Compare, args: Args, place: Emission) -> Code:
    return comparison(_COMPARISONS[op.fn], operand(args), operand(args, 1), COMPARE)


@RULES.rule(CompareScalar)
def compare_scalar(op: CompareScalar, args: Args, place: Emission) -> Code:
    return comparison(_COMPARISONS[op.fn], operand(args), place.number(op.value), COMPARE)


@RULES.rule(Logic)
def logic(op: Logic, args: Args, place: Emission) -> Code:
    symbol, level = ("&", BIT_AND) if op.fn == "and" else ("|", BIT_OR)
    return binary(symbol, operand(args), operand(args, 1), level)


@RULES.rule(Where)
def where(op: Where, args: Args, place: Emission) -> Code:
    out = call(place, "torch.where", operand(args), operand(args, 1), operand(args, 2))
    return settle(place, out, promoted(place.outputs[0].dtype, type_of(place, 1), type_of(place, 2)))


@RULES.rule(Clamp)
def clamp(op: Clamp, args: Args, place: Emission) -> Code:
    x = operand(args)
    low, high = (None if bound is None else place.number(bound) for bound in (op.low, op.high))
    if low is None and high is None:
        return x
    out = method(x, "clamp", low, high) if low and high else method(x, "clamp", min=low, max=high)
    fractional = any(b is not None and isinstance(b.value, float) for b in (op.low, op.high))
    have = type_of(place).dtype
    return settle(place, out, None if fractional and not is_float(have) else have)


@RULES.rule(Dropout)
def dropout(op: Dropout, args: Args, place: Emission) -> Code:
    p = numbers(place)(op.p)
    return operand(args) if says(p, 0) else call(place, "F.dropout", operand(args), p, "self.training")


@RULES.rule(StopGradient)
def stop_gradient(op: StopGradient, args: Args, place: Emission) -> Code:
    return method(operand(args), "detach")
