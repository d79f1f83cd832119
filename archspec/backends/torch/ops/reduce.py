"""Folding axes."""

from __future__ import annotations

from archspec.backends.torch.code import Code, Emission
from archspec.backends.torch.ops.dtypes import cast, dtype, settle
from archspec.backends.torch.ops.rules import RULES, Args, axis_text, operand, type_of
from archspec.backends.torch.ops.write import call, method, numbers, tuple_
from archspec.ir.ops.reduce import ArgReduce, Cumulate, LogSumExp, Reduce, Softmax, TopK
from archspec.ir.types import TensorType

_METHODS = {"max": "amax", "min": "amin"}
_NARROW = ("uint8", "int8", "int32")  # sums and products of these are int64 in torch unless told


@RULES.rule(Reduce)
def reduce(op: Reduce, args: Args, place: Emission) -> Code:
    x, type_ = operand(args), type_of(place)
    axes = sorted({axis % type_.rank for axis in op.axes})
    if not axes:
        return call(place, "torch.zeros_like", x) if op.fn == "var" else x
    every = len(axes) == type_.rank and not op.keep
    options = _options(op, type_, place)
    if op.fn == "prod" and not every:  # takes one axis at a time
        for axis in reversed(axes):
            x = method(x, "prod", axis_text(type_, axis), **options)
        return x
    return method(x, _METHODS.get(op.fn, op.fn), None if every else _dims(type_, axes), **options)


def _options(op: Reduce, type_: TensorType, place: Emission) -> dict[str, str]:
    options = {"keepdim": "True"} if op.keep else {}
    if op.fn in ("sum", "prod") and type_.dtype in _NARROW:
        options["dtype"] = dtype(place, type_.dtype)
    if op.fn == "var":
        options["correction"] = "0"
    return options


def _dims(type_: TensorType, axes: list[int]) -> str:
    return axis_text(type_, axes[0]) if len(axes) == 1 else tuple_([str(axis) for axis in axes])


@RULES.rule(ArgReduce)
def arg_reduce(op: ArgReduce, args: Args, place: Emission) -> Code:
    x, type_ = operand(args), type_of(place)
    x = cast(place, x, "uint8") if type_.dtype == "bool" else x
    return method(x, f"arg{op.fn}", axis_text(type_, op.axis))


@RULES.rule(Cumulate)
def cumulate(op: Cumulate, args: Args, place: Emission) -> Code:
    type_ = type_of(place)
    if op.fn == "max":
        return Code(f"{method(operand(args), 'cummax', axis_text(type_, op.axis)).text}.values")
    kept = dtype(place, type_.dtype) if type_.dtype in _NARROW else None
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
