"""Operations on each element, but for functions of one operand."""

from __future__ import annotations

import onnx_ir as ir

from archspec.backends.onnx.place import RULES, Args, Place, Result, operand
from archspec.dims.num import Num
from archspec.ir.ops.elementwise import Arith, Clamp, Compare, CompareScalar, Logic, Scalar, Where
from archspec.ir.types import is_float, promote

SIMPLE = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "minimum": "Min", "maximum": "Max"}
COMPARISONS = {
    "eq": "Equal", "ne": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual",
}  # fmt: skip
BYTES = ("int8", "uint8")
# Powers that have a faster operator; ONNX Runtime's Pow takes 17 times as long, but for 2 and 3.
ROOTS = {0.5: ("Sqrt",), -0.5: ("Sqrt", "Reciprocal"), -1.0: ("Reciprocal",)}


@RULES.rule(Arith)
def _arith(op: Arith, args: Args, place: Place) -> Result:
    dtype = place.outputs[0].dtype
    a, b = (place.read(operand(args, i), dtype) for i in (0, 1))
    return arithmetic(op.fn, a, b, dtype, place)


@RULES.rule(Scalar)
def _scalar(op: Scalar, args: Args, place: Place) -> Result:
    x, dtype = operand(args), place.outputs[0].dtype
    value = place.read(x, dtype)
    if op.fn == "pow" and is_float(dtype) and not op.flip and op.value.static and op.value.real in ROOTS:
        for kind in ROOTS[op.value.real]:
            value = place.one(kind, value)
        return value
    number = place.rank0(op.value, dtype)
    return arithmetic(op.fn, *((number, value) if op.flip else (value, number)), dtype, place)


def arithmetic(fn: str, a: ir.Value, b: ir.Value, dtype: str, place: Place) -> ir.Value:
    """`a fn b`, both of `dtype`."""
    if fn in SIMPLE:
        return place.one(SIMPLE[fn], a, b)
    if fn == "pow":
        return _power(a, b, dtype, place)
    rest = _rest(a, b, dtype, place)
    if fn == "mod":
        return rest
    quotient = place.one("Div", place.one("Sub", a, rest), b)
    return place.one("Round", quotient) if is_float(dtype) else quotient


def _rest(a: ir.Value, b: ir.Value, dtype: str, place: Place) -> ir.Value:
    """a - b * floor(a / b). Mod has the sign of b for integers, of a for floats."""
    if not is_float(dtype):
        return place.one("Mod", a, b)
    rest, none = place.one("Mod", a, b, fmod=1), place.scalar(0, dtype)
    other_side = place.one("Less", place.one("Mul", rest, b), none)
    return place.one("Where", other_side, place.one("Add", rest, b), rest)


def _power(a: ir.Value, b: ir.Value, dtype: str, place: Place) -> ir.Value:
    if dtype not in BYTES:
        return place.one("Pow", a, b)
    raised = place.one("Pow", *(place.cast(x, dtype, "int32") for x in (a, b)))
    return place.cast(raised, "int32", dtype)


@RULES.rule(Compare)
def _compare(op: Compare, args: Args, place: Place) -> Result:
    a, b = operand(args), operand(args, 1)
    dtype = _ordered(promote(a.type.dtype, b.type.dtype))
    return compared(op.fn, place.read(a, dtype), place.read(b, dtype), place)


@RULES.rule(CompareScalar)
def _compare_scalar(op: CompareScalar, args: Args, place: Place) -> Result:
    x = operand(args)
    dtype = _holding(_ordered(x.type.dtype), op.value)
    return compared(op.fn, place.read(x, dtype), place.rank0(op.value, dtype), place)


def compared(fn: str, a: ir.Value, b: ir.Value, place: Place) -> ir.Value:
    """`a fn b`, both of one dtype."""
    found = place.one(COMPARISONS[fn], a, b)
    return place.one("Not", found) if fn == "ne" else found


def _ordered(dtype: str) -> str:
    """A dtype that has an order."""
    return "int32" if dtype == "bool" else dtype


def _holding(dtype: str, *numbers: Num | None) -> str:
    """A dtype that holds a fraction, where one of the numbers may be one."""
    fractional = any(number is not None and isinstance(number.value, float) for number in numbers)
    return "float32" if fractional and not is_float(dtype) else dtype


@RULES.rule(Logic)
def _logic(op: Logic, args: Args, place: Place) -> Result:
    return place.one("And" if op.fn == "and" else "Or", operand(args).value, operand(args, 1).value)


@RULES.rule(Where)
def _where(op: Where, args: Args, place: Place) -> Result:
    condition, dtype = operand(args).value, place.outputs[0].dtype
    a, b = (place.read(operand(args, i), dtype) for i in (1, 2))
    if dtype != "bool":
        return place.one("Where", condition, a, b)
    # ONNX Runtime has no Where of booleans.
    otherwise = place.one("And", place.one("Not", condition), b)
    return place.one("Or", place.one("And", condition, a), otherwise)


@RULES.rule(Clamp)
def _clamp(op: Clamp, args: Args, place: Place) -> Result:
    x = operand(args)
    if op.low is None and op.high is None:
        return x
    dtype = _holding(x.type.dtype, op.low, op.high)
    bounds = (None if bound is None else place.rank0(bound, dtype) for bound in (op.low, op.high))
    held = place.one("Clip", place.read(x, dtype), *bounds)
    return place.cast(held, dtype, x.type.dtype)
