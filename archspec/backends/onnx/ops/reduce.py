"""Operations that fold an axis."""

from __future__ import annotations

import onnx_ir as ir

from archspec.backends.onnx.ops.recurrence import run_along
from archspec.backends.onnx.place import RULES, Args, Place, Result, island, operand
from archspec.backends.onnx.tape import Tape
from archspec.backends.onnx.tensor import Tensor
from archspec.ir.ops.reduce import ArgReduce, Cumulate, LogSumExp, Reduce, Softmax, TopK
from archspec.ir.types import TensorType

FOLDS = {
    "sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd",
    "any": "ReduceMax", "all": "ReduceMin",
}  # fmt: skip
BYTES = ("int8", "uint8")  # ONNX neither sums nor multiplies them along an axis


@RULES.rule(Reduce)
def _reduce(op: Reduce, args: Args, place: Place) -> Result:
    x = operand(args)
    axes = sorted({axis % x.type.rank for axis in op.axes})
    if not axes:
        return place.one("Sub", x.value, x.value) if op.fn == "var" else x
    if op.fn == "var":
        return _variance(x, axes, op.keep, place)
    dtype = _folded_in(op.fn, x.type.dtype)
    value, over = place.read(x, dtype), place.tape.integers(*axes)
    out = place.one(FOLDS[op.fn], value, over, keepdims=int(op.keep))
    if x.type.dtype == "bool":  # of nothing at all, ReduceMax is the least number: not 0, but no truth either
        return place.one("Greater", out, place.scalar(0, dtype))
    return place.cast(out, dtype, x.type.dtype)


def _folded_in(fn: str, dtype: str) -> str:
    """The dtype to compute in."""
    narrow = dtype == "bool" or (dtype in BYTES and fn in ("sum", "prod"))
    return "int32" if narrow else dtype


def _variance(x: Tensor, axes: list[int], keep: bool, place: Place) -> ir.Value:
    @island
    def variance(value: ir.Value, dtype: str, place: Place) -> ir.Value:
        over = place.tape.integers(*axes)
        centred = place.one("Sub", value, place.one("ReduceMean", value, over))
        return place.one("ReduceMean", place.one("Mul", centred, centred), over, keepdims=int(keep))

    return variance(x.value, x.type.dtype, place)


@RULES.rule(ArgReduce)
def _arg_reduce(op: ArgReduce, args: Args, place: Place) -> Result:
    x = operand(args)
    value = place.read(x, "int32") if x.type.dtype == "bool" else x.value
    kind = "ArgMax" if op.fn == "max" else "ArgMin"
    return place.one(kind, value, axis=op.axis % x.type.rank, keepdims=0)


@RULES.rule(Cumulate)
def _cumulate(op: Cumulate, args: Args, place: Place) -> Result:
    x, want = operand(args), place.outputs[0].dtype
    dtype = "int32" if want in BYTES else want
    value, axis = place.read(x, dtype), op.axis % x.type.rank
    if op.fn == "sum":
        out = place.one("CumSum", value, place.scalar(axis, "int64"))
    else:
        kind = "Mul" if op.fn == "prod" else "Max"
        out = _running(kind, Tensor(x.type.with_dtype(dtype), value), axis, place)
    return place.cast(out, dtype, want)


def _running(kind: str, x: Tensor, axis: int, place: Place) -> ir.Value:
    """x_0, x_0 fn x_1, … along an axis; the first element is folded twice where that changes nothing."""

    def step(tape: Tape, before: ir.Value, element: ir.Value) -> ir.Value:
        return tape.one(kind, before, element)

    shape = (*x.type.shape[:axis], *x.type.shape[axis + 1 :])
    start = place.scalar(1 if kind == "Mul" else _least(x.type, place), x.type.dtype)
    first = place.one("Expand", start, place.shape(shape)) if shape else start
    return run_along(step, first, [(x.value, axis)], axis, x.type.dtype, place)[0]


def _least(type_: TensorType, place: Place) -> float:
    """The least number of a dtype."""
    dtype = place.dtype(type_.dtype)
    return -float("inf") if dtype.is_floating_point() else int(dtype.min)


@RULES.rule(TopK)
def _top_k(op: TopK, args: Args, place: Place) -> Result:
    return place.tape.op("TopK", operand(args).value, place.shape([op.k]), outputs=2, axis=-1)


@RULES.rule(Softmax)
def _softmax(op: Softmax, args: Args, place: Place) -> Result:
    x = operand(args)
    wide = place.read(x, op.dtype)
    return place.cast(place.one("Softmax", wide, axis=op.axis % x.type.rank), op.dtype, x.type.dtype)


@RULES.rule(LogSumExp)
def _log_sum_exp(op: LogSumExp, args: Args, place: Place) -> Result:
    x = operand(args)
    return place.one("ReduceLogSumExp", x.value, place.tape.integers(op.axis % x.type.rank), keepdims=0)
