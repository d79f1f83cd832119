"""Tensors from nothing, and casts."""

from __future__ import annotations

from archspec.backends.torch.code import BIT_OR, LAMBDA, OR, Code, Emission
from archspec.backends.torch.ops.dtypes import cast, dtype
from archspec.backends.torch.ops.rules import RULES, Args, operand, type_of
from archspec.backends.torch.ops.write import call, numbers, option, says, tuple_
from archspec.ir.ops.source import Cast, Full, Iota, Otherwise, Random


@RULES.rule(Iota)
def iota(op: Iota, args: Args, place: Emission) -> Code:
    number = numbers(place)
    start = option(number, op.start, 0)
    ends = (number(op.size),) if start is None else (start, number(op.start + op.size))
    whole = not any(isinstance(n.value, float) for n in (op.start, op.size))
    kind = None if op.dtype == "int64" and whole else dtype(place, op.dtype)
    return call(place, "torch.arange", *ends, dtype=kind, device=place.device())


@RULES.rule(Full)
def full(op: Full, args: Args, place: Emission) -> Code:
    sizes, value = [numbers(place)(d) for d in op.shape], numbers(place)(op.value)
    where = {"dtype": dtype(place, op.dtype), "device": place.device()}
    for known, function in ((0, "torch.zeros"), (1, "torch.ones")):
        if says(value, known):
            return call(place, function, *(sizes or ["()"]), **where)
    return call(place, "torch.full", tuple_(sizes), value, **where)


@RULES.rule(Random)
def random(op: Random, args: Args, place: Emission) -> Code:
    sizes = [numbers(place)(d) for d in op.shape] or ["()"]
    function = "torch.randn" if op.kind == "normal" else "torch.rand"
    return call(place, function, *sizes, dtype=dtype(place, "float"), device=place.device())


@RULES.rule(Otherwise)
def otherwise(op: Otherwise, args: Args, place: Emission) -> Code:
    x, y = args[0], operand(args, 1)
    if x is None:
        return y
    return Code(f"{x.inside(OR)} if {x.inside(BIT_OR)} is not None else {y.inside(OR)}", LAMBDA)


@RULES.rule(Cast)
def to(op: Cast, args: Args, place: Emission) -> Code:
    x = operand(args)
    return x if type_of(place).dtype == op.dtype else cast(place, x, op.dtype)
