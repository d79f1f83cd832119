"""Matrix products and convolutions."""

from __future__ import annotations

from archspec.backends.torch.code import PRODUCT, Code, Emission
from archspec.backends.torch.ops.dtypes import widened
from archspec.backends.torch.ops.rules import RULES, Args, grid, optional, type_of
from archspec.backends.torch.ops.write import binary, call, numbers, option, per_axis, runtime, symmetric
from archspec.ir.ops.contract import Conv, ConvTranspose, Einsum, Linear, Matmul


@RULES.rule(Linear)
def linear(op: Linear, args: Args, place: Emission) -> Code:
    return call(place, "F.linear", *_operands(args, place))


@RULES.rule(Matmul)
def matmul(op: Matmul, args: Args, place: Emission) -> Code:
    a, b = widened(place, args, (0, 1), place.outputs[0].dtype)
    return binary("@", a, b, PRODUCT)


@RULES.rule(Einsum)
def einsum(op: Einsum, args: Args, place: Emission) -> Code:
    operands = widened(place, args, range(len(args)), place.outputs[0].dtype)
    equation = op.equation.replace(" ", "")
    return call(place, "torch.einsum", f'"{equation}"', *operands)


def _operands(args: Args, place: Emission) -> tuple[Code | None, ...]:
    """Input, weight and bias in the input's dtype, the only one that torch takes."""
    want = type_of(place).dtype
    bias = optional(args, 2)
    x, weight, *rest = widened(place, args, (0, 1) if bias is None else (0, 1, 2), want)
    return x, weight, *rest


@RULES.rule(Conv)
def conv(op: Conv, args: Args, place: Emission) -> Code:
    x, *parameters = _operands(args, place)
    assert x is not None
    if _one_filter_each(op, place):
        return runtime(place, "conv", "depthwise", x, *parameters)
    number = numbers(place)
    padding = symmetric(number, op.padding)
    if padding is None:
        sides = [number(side) for pair in reversed(op.padding) for side in pair]
        x = call(place, "F.pad", x, f"({', '.join(sides)})")
    return call(
        place, f"F.conv{grid(type_of(place))}d", x, *parameters,
        stride=per_axis(number, op.stride, 1),
        padding=per_axis(number, padding, 0) if padding else None,
        dilation=per_axis(number, op.dilation, 1),
        groups=option(number, op.groups, 1),
    )  # fmt: skip


def _one_filter_each(op: Conv, place: Emission) -> bool:
    """Whether each channel of a sequence of any length has its own filter, at every place where it fits."""
    x, weight = type_of(place), type_of(place, 1)
    sequence = grid(x) == 1 and not x.shape[-1].static
    own = int(op.groups) == int(x.shape[1]) == int(weight.shape[0])
    padded = any(int(side) for pair in op.padding for side in pair)
    everywhere = not padded and all(int(step) == 1 for step in (*op.stride, *op.dilation))
    return sequence and own and everywhere


@RULES.rule(ConvTranspose)
def conv_transpose(op: ConvTranspose, args: Args, place: Emission) -> Code:
    number = numbers(place)
    return call(
        place, f"F.conv_transpose{grid(type_of(place))}d", *_operands(args, place),
        stride=per_axis(number, op.stride, 1),
        padding=per_axis(number, op.padding, 0),
        output_padding=per_axis(number, op.output_padding, 0),
        groups=option(number, op.groups, 1),
        dilation=per_axis(number, op.dilation, 1),
    )  # fmt: skip
