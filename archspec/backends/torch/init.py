"""What stands in a module's `__init__`: modules of `torch.nn`, and how a parameter starts.

torch's `__init__` arguments are left out where the number is written as torch's default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from archspec.backends.torch.ops.write import (
    NumberText,
    Part,
    arguments,
    option,
    per_axis,
    says,
    symmetric,
)
from archspec.dims.expr import Binary, write
from archspec.dims.num import Num
from archspec.errors import Diagnostic, InternalError
from archspec.ir.graph import Init, Param
from archspec.ir.op import Op
from archspec.ir.ops.contract import Conv, ConvTranspose, Linear
from archspec.ir.ops.elementwise import Dropout
from archspec.ir.ops.norm import BatchNorm, GroupNorm, LayerNorm, RmsNorm
from archspec.ir.ops.shape import Gather
from archspec.ir.types import TensorType

Types: TypeAlias = Mapping[str, TensorType]


def initialiser(init: Init, number: NumberText) -> str:
    """The statement that fills a parameter: `nn.init.normal_({}, std=0.02)`, with `{}` or `{0}` for it."""
    a, b = number(init.a), None if init.b is None else number(init.b)
    match init.kind:
        case "normal" | "trunc_normal":
            mean = None if says(a, 0) else a
            std = None if b is None or says(b, 1) else b
            return _fill(f"{init.kind}_", mean=mean, std=std)
        case "uniform":
            return _fill("uniform_", a, b)
        case "constant":
            known = {0: "zeros_", 1: "ones_"}
            short = next((name for value, name in known.items() if says(a, value)), None)
            return _fill(short) if short else _fill("constant_", a)
        case "sinusoids":
            return f"{{0}}.copy_(sinusoids(*{{0}}.shape, {a}, {b}))"
        case _:
            raise InternalError(Diagnostic("B003", f"nothing starts a parameter as '{init.kind}'"))


def _fill(function: str, *args: Part, **options: Part) -> str:
    return f"nn.init.{function}({arguments('{}', *args, **options)})"


class Leaf(Struct, frozen=True):
    """How an operation with its own parameters is a module of `torch.nn`.

    `names`: the parameter names it may have, in the order of the operation's operands.
    """

    write: Callable[[Any, Types, NumberText, TensorType], str | None]
    names: tuple[tuple[str, ...], ...]


def leaf(op: Op, params: tuple[Param, ...], number: NumberText, x: TensorType) -> str | None:
    """The constructor of the `torch.nn` module that is `op` applied to `x` and these parameters, if one is.

    `params` stand in the order of the operands they feed; for `Gather`, `x` is the index. None where the
    module's tensors would have other names or dtypes, or the module would compute something else.
    """
    known = LEAVES.get(type(op))
    types = {p.name: p.value.type for p in params}
    if known is None or tuple(types) not in known.names:
        return None
    learned = all(p.trainable == (p.name not in _STATISTICS) for p in params)
    one_dtype = isinstance(op, Gather) or all(t.dtype in (x.dtype, "int64") for t in types.values())
    return known.write(op, types, number, x) if learned and one_dtype else None


def _linear(op: Linear, params: Types, number: NumberText, x: TensorType) -> str:
    out, width = params["weight"].shape
    return _module("Linear", number(width), number(out), bias=_off("bias", params))


def _embedding(op: Gather, params: Types, number: NumberText, x: TensorType) -> str | None:
    table = params["weight"]
    if op.axis % table.rank or table.rank != 2 or x.dtype not in ("int32", "int64"):
        return None
    return _module("Embedding", *map(number, table.shape))


def _layer_norm(op: LayerNorm, params: Types, number: NumberText, x: TensorType) -> str:
    affine = {"bias": _off("bias", params)} if params else {"elementwise_affine": "False"}
    width = number(_width(params, x.shape[-1]))
    return _module("LayerNorm", width, eps=option(number, op.eps, 1e-5), **affine)


def _rms_norm(op: RmsNorm, params: Types, number: NumberText, x: TensorType) -> str | None:
    """`nn.RMSNorm` multiplies by the weight before it leaves fp32."""
    if params and (op.cast != "after" or not says(number(op.offset), 0)):
        return None
    width, affine = number(_width(params, x.shape[-1])), _off("weight", params)
    return _module("RMSNorm", width, eps=number(op.eps), elementwise_affine=affine)


def _group_norm(op: GroupNorm, params: Types, number: NumberText, x: TensorType) -> str:
    channels, affine = number(_width(params, x.shape[1])), _off("weight", params)
    eps = option(number, op.eps, 1e-5)
    return _module("GroupNorm", number(op.groups), channels, eps=eps, affine=affine)


def _batch_norm(op: BatchNorm, params: Types, number: NumberText, x: TensorType) -> str | None:
    axes = max(x.rank - 2, 1)
    if axes > 3:
        return None
    return _module(
        f"BatchNorm{axes}d", number(_width(params, x.shape[1])),
        eps=option(number, op.eps, 1e-5),
        momentum=option(number, op.momentum, 0.1),
        affine=_off("weight", params),
    )  # fmt: skip


def _conv(op: Conv, params: Types, number: NumberText, x: TensorType) -> str | None:
    out, width, *kernel = params["weight"].shape
    padding = symmetric(number, op.padding)
    if padding is None or not 1 <= len(kernel) <= 3:
        return None
    return _module(
        f"Conv{len(kernel)}d",
        number(_of_all_groups(width, op.groups)), number(out), per_axis(number, kernel),
        stride=per_axis(number, op.stride, 1),
        padding=per_axis(number, padding, 0),
        dilation=per_axis(number, op.dilation, 1),
        groups=option(number, op.groups, 1),
        bias=_off("bias", params),
    )  # fmt: skip


def _conv_transpose(op: ConvTranspose, params: Types, number: NumberText, x: TensorType) -> str | None:
    width, out, *kernel = params["weight"].shape
    if not 1 <= len(kernel) <= 3:
        return None
    return _module(
        f"ConvTranspose{len(kernel)}d",
        number(width), number(_of_all_groups(out, op.groups)), per_axis(number, kernel),
        stride=per_axis(number, op.stride, 1),
        padding=per_axis(number, op.padding, 0),
        output_padding=per_axis(number, op.output_padding, 0),
        groups=option(number, op.groups, 1),
        bias=_off("bias", params),
        dilation=per_axis(number, op.dilation, 1),
    )  # fmt: skip


def _dropout(op: Dropout, params: Types, number: NumberText, x: TensorType) -> str:
    return _module("Dropout", number(op.p))


def _module(name: str, *args: Part, **options: Part) -> str:
    return f"nn.{name}({arguments(*args, **options)})"


def _off(name: str, params: Types) -> str | None:
    return None if name in params else "False"


def _width(params: Types, size: Num) -> Num:
    """The width of a norm as its weight writes it, if it has one."""
    return params["weight"].shape[0] if "weight" in params else size


def _of_all_groups(size: Num, groups: Num) -> Num:
    """`size * groups`, where `size` may be written as a quotient by `groups`."""
    match size.expr:
        case Binary(op="//", left=whole, right=by) if write(by) == str(groups):
            return Num((size * groups).value, whole)
        case _:
            return size * groups


_WEIGHT, _BOTH = ("weight",), ("weight", "bias")
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

LEAVES: dict[type[Op], Leaf] = {
    Linear: Leaf(_linear, (_WEIGHT, _BOTH)),
    Gather: Leaf(_embedding, (_WEIGHT,)),
    LayerNorm: Leaf(_layer_norm, ((), _WEIGHT, _BOTH)),
    RmsNorm: Leaf(_rms_norm, ((), _WEIGHT)),
    GroupNorm: Leaf(_group_norm, ((), _BOTH)),
    BatchNorm: Leaf(_batch_norm, (_STATISTICS, (*_STATISTICS, *_BOTH))),
    Conv: Leaf(_conv, (_WEIGHT, _BOTH)),
    ConvTranspose: Leaf(_conv_transpose, (_WEIGHT, _BOTH)),
    Dropout: Leaf(_dropout, ((),)),
}
