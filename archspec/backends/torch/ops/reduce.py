"""Folding axes."""

from __future__ import annotations

from archspec.backends.torch.code import Code, Emission
from archspec.backends.torch.ops.dtypes import cast, dtype, settle
from archspec.backends.torch.ops.rules import RULES, Args, axis_text, operand, type_of
from archspec.backends.torch.ops.write import call, method, numbers, tuple_
from archspec.ir.ops.reduce import ArgReduce, Cumulate, LogSumExp, Reduce, Softmax, TopK
from archspec.ir.types import TensorType, is_float


@RULES.rule(Reduce)
def reduce(op: Reduce, args: Args, place: Emission) -> Code:
    x, type_ = operand(args), type_of(place)
    axes = sorted({axis % type_.rank for axis in op.axes})
    if not axes:
        return call(place, "torch.zeros_like", x) if op.fn == "var" else x
    keepdim = "True" if op.keep else None
    every = len(axes) == type_.rank and not op.keep
    dims = [None] if every else [_dims(type_, axes)]
    if op.fn == "prod" and not every:
        dims = [axis_text(type_, axis) for axis in reversed(axes)]
    for dim in dims:
        x = _folded(place, op.fn, x, dim, keepdim)
    return settle(place, x, _gives(op.fn, type_.dtype))


def _dims(type_: TensorType, axes: list[int]) -> str:
    return axis_text(type_, axes[0]) if len(axes) == 1 else tuple_([str(axis) for axis in axes])


def _folded(place: Emission, fn: str, x: Code, dim: str | None, keepdim: str | None) -> Code:
    have = type_of(place).dtype
    whole = not is_float(have)
    if fn in ("sum", "prod"):
        kept = dtype(place, have) if whole and have != "int64" else None
        return method(x, fn, dim, keepdim=keepdim, dtype=kept)
    if fn in ("mean", "var"):
        x = cast(place, x, "float32") if whole else x
        return method(x, fn, dim, keepdim=keepdim, correction="0" if fn == "var" else None)
    return method(x, {"max": "amax", "min": "amin"}.get(fn, fn), dim, keepdim=keepdim)


def _gives(fn: str, have: str) -> str:
    """The dtype of torch's result."""
    if fn in ("any", "all"):
        return "uint8" if have == "uint8" else "bool"
    return "float32" if fn in ("mean", "var") and not is_float(have) else have


@RULES.rule(ArgReduce)
def arg_reduce(op: ArgReduce, args: Args, place: Emission) -> Code:
    x, type_ = operand(args), type_of(place)
    x = cast(place, x, "uint8") if type_.dtype == "bool" else x
    return method(x, f"arg{op.fn}", axis_text(type_, op.axis))


@RULES.rule(Cumulate)
def cumulate(op: Cumulate, args: Args, place: Emission) -> Code:
    type_ = type_of(place)
    narrow = type_.dtype in ("uint8", "int8", "int32")
    kept = dtype(place, type_.dtype) if narrow else None
    return method(operand(args), f"cum{op.fn}", axis_text(type_, op.axis), dtype=kept)


@RULES.rule(TopK)
def top_k(op: TopK, args: Args, place: Emission) -> Code:
    return method(operand(args), "topk", numbers(place)(op.k))


@RULES.rule(Softmax)
def softmax(op: Softmax, args: Args, place: Emission) -> Code:
    x, type_ = operand(args), type_of(place)
    wide = None if op.dtype == type_.dtype else dtype(place, op.dtype)
    out = method(x, "softmax", axis_text(type_, op.axis), dtype=wide)
    return settle(place, out, op.dtype, like=x)


@RULES.rule(LogSumExp)
def log_sum_exp(op: LogSumExp, args: Args, place: Emission) -> Code:
    return method(operand(args), "logsumexp", axis_text(type_of(place), op.axis))
