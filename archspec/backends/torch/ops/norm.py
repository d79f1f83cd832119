"""Normalisation. torch keeps the statistics in fp32 below fp32 by itself."""

from __future__ import annotations

from archspec.backends.torch.code import SUM, Code, Emission
from archspec.backends.torch.ops.dtypes import cast
from archspec.backends.torch.ops.rules import RULES, Args, operand, optional, type_of
from archspec.backends.torch.ops.write import (
    binary,
    call,
    is_name,
    numbers,
    option,
    runtime,
)
from archspec.ir.ops.norm import BatchNorm, GroupNorm, LayerNorm, RmsNorm


@RULES.rule(LayerNorm)
def layer_norm(op: LayerNorm, args: Args, place: Emission) -> Code:
    weight, bias = _affine(args, place)
    eps = option(numbers(place), op.eps, 1e-5)
    return call(place, "F.layer_norm", operand(args), _width(args, place), weight, bias, eps=eps)


@RULES.rule(RmsNorm)
def rms_norm(op: RmsNorm, args: Args, place: Emission) -> Code:
    """`F.rms_norm` multiplies by the weight before it leaves fp32; other orders are functions of ours."""
    x, weight = operand(args), optional(args, 1)
    number = numbers(place)
    eps, offset = number(op.eps), option(number, op.offset, 0)
    if weight is None or (op.cast == "after" and offset is None):
        return call(place, "F.rms_norm", x, _width(args, place), _like_input(args, place, 1), eps=eps)
    function = "rms_norm"
    if op.cast == "after":
        function, weight = "rms_norm_fp32", _in_fp32(place, weight, 1)
    gain = weight if offset is None else binary("+", place.number(op.offset), weight, SUM)
    return runtime(place, "norm", function, x, gain, eps)


def _in_fp32(place: Emission, x: Code, index: int) -> Code:
    return x if type_of(place, index).dtype == "float32" else cast(place, x, "float32")


@RULES.rule(GroupNorm)
def group_norm(op: GroupNorm, args: Args, place: Emission) -> Code:
    number = numbers(place)
    weight, bias = _affine(args, place)
    eps = option(number, op.eps, 1e-5)
    return call(place, "F.group_norm", operand(args), number(op.groups), weight, bias, eps=eps)


@RULES.rule(BatchNorm)
def batch_norm(op: BatchNorm, args: Args, place: Emission) -> Code:
    """The running statistics move by `momentum` in training, as `nn.BatchNorm` moves them."""
    number, statistics = numbers(place), (operand(args, index) for index in (1, 2, 3))
    given = (operand(args), *statistics, optional(args, 4), optional(args, 5))
    settings = ("self.training", number(op.momentum), number(op.eps))
    return runtime(place, "norm", "batch_norm", *given, *settings)


def _affine(args: Args, place: Emission) -> tuple[Code | None, Code | None]:
    """Weight and bias in the input's dtype."""
    weight, bias = (_like_input(args, place, index) for index in (1, 2))
    return weight, bias


def _like_input(args: Args, place: Emission, index: int) -> Code | None:
    code, want = optional(args, index), type_of(place).dtype
    if code is None or type_of(place, index).dtype == want:
        return code
    return cast(place, code, want, like=operand(args))


def _width(args: Args, place: Emission) -> str:
    """The shape normalised over, without computing the input twice."""
    x, weight = operand(args), optional(args, 1)
    if is_name(x):
        return f"{x.text}.shape[-1:]"
    if weight is not None and is_name(weight):
        return f"{weight.text}.shape"
    return f"({numbers(place)(type_of(place).shape[-1])},)"
