"""Element by element. What is saved follows torch's derivative of each function (derivatives.yaml)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor, function, made

Saves = Sequence[tuple[str, Tensor | None]]


def elementwise(name: str, operands: Sequence[Any], saves: Saves = (), dtype: DType | None = None) -> Tensor:
    """A result of broadcasting; operands may be Python numbers."""
    tensors = [x for x in operands if isinstance(x, Tensor)]
    if len(tensors) == 1 and dtype is None and tensors[0].is_contiguous():
        x = tensors[0]
        out = made(name, tensors, x.shape, _dtype(operands, x), saves=saves)
    else:
        shape = layout.broadcast(*(x.shape for x in tensors))
        strides = layout.elementwise(shape, [(x.shape, x.strides) for x in tensors])
        wanted = dtype or dtypes.mixed(operands, current().default)
        out = made(name, tensors, shape, wanted, strides=strides, saves=saves)
    known = [x.filled for x in tensors if x.filled is not None and x.shape == out.shape]
    out.filled = min(known) if known else None
    return out


def _dtype(operands: Sequence[Any], x: Tensor) -> DType:
    return x.dtype if len(operands) == 1 else dtypes.mixed(operands, current().default)


def saved(**operands: Any) -> list[tuple[str, Tensor | None]]:
    """Those of the operands that are tensors."""
    return [(name, x) for name, x in operands.items() if isinstance(x, Tensor)]


def grad(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


# of one operand: what the derivative reads

_ONE: dict[str, Literal["x", "y", ""]] = {
    **dict.fromkeys(("exp", "expm1", "sigmoid", "tanh", "sqrt", "rsqrt", "reciprocal", "relu"), "y"),
    **dict.fromkeys(("log", "log1p", "sin", "cos", "abs", "erf", "silu", "softplus", "mish"), "x"),
    **dict.fromkeys(("hardswish", "elu", "selu"), "x"),
    **dict.fromkeys(("neg", "sign", "round", "floor", "ceil"), ""),
}  # fmt: skip


def _one(name: str, reads: Literal["x", "y", ""]) -> None:
    def apply(x: Tensor, *_: Any, **__: Any) -> Tensor:
        saves: Saves = [("input", x)] if reads == "x" else [("result", None)] if reads == "y" else []
        floats = name in ("neg", "abs", "sign", "round", "floor", "ceil", "relu") or x.is_floating_point()
        return elementwise(name, (x,), saves, None if floats else current().default)

    function(name)(apply)


for _name, _reads in _ONE.items():
    _one(_name, _reads)


@function()
def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    return elementwise("gelu", (x,), [("input", x)])


@function()
def square(x: Tensor) -> Tensor:
    return elementwise("pow", (x,), [("input", x)])


@function("logical_not", "bitwise_not")
def logical_not(x: Tensor) -> Tensor:
    return elementwise("bitwise_not", (x,))


@function("clamp")
def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    numbers = [bound for bound in (min, max) if bound is not None]
    return elementwise("clamp", (x, *numbers), [("input", x)])


# of two


@function("add")
def add(a: Any, b: Any) -> Tensor:
    return elementwise("add", (a, b))


@function("sub")
def sub(a: Any, b: Any) -> Tensor:
    return elementwise("sub", (a, b))


@function("mul")
def mul(a: Any, b: Any) -> Tensor:
    kept = saved(other=b if grad(a) else None) + saved(self=a if grad(b) else None)
    return elementwise("mul", (a, b), kept)


@function("div")
def div(a: Any, b: Any) -> Tensor:
    if not isinstance(a, Tensor):
        inverse = FUNCTION_RECIPROCAL(b)
        return mul(inverse, a)
    kept = saved(other=b) + saved(self=a if grad(b) else None)
    floats = any(isinstance(x, Tensor) and x.is_floating_point() for x in (a, b)) or isinstance(b, float)
    return elementwise("div", (a, b), kept, None if floats else current().default)


def FUNCTION_RECIPROCAL(x: Tensor) -> Tensor:
    return elementwise("reciprocal", (x,), [("result", None)])


@function("floordiv", "mod")
def floordiv(a: Any, b: Any) -> Tensor:
    return elementwise("floor_divide", (a, b))


@function("pow")
def pow_(a: Any, b: Any) -> Tensor:
    if not isinstance(b, Tensor):
        return elementwise("pow", (a, b), saved(self=a))
    return elementwise("pow", (a, b), [*saved(self=a, exponent=b), ("result", None)])


@function("maximum", "minimum")
def maximum(a: Tensor, b: Tensor) -> Tensor:
    return elementwise("maximum", (a, b), saved(self=a, other=b))


@function("addcmul")
def addcmul(x: Tensor, a: Tensor, b: Tensor, value: float = 1, out: Tensor | None = None) -> Tensor:
    if out is not None:
        return out
    kept = saved(tensor2=b if grad(a) else None) + saved(tensor1=a if grad(b) else None)
    return elementwise("addcmul", (x, a, b), kept)


def _comparison(name: str) -> None:
    function(name)(lambda a, b: elementwise(name, (a, b), dtype=dtypes.bool_))


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _comparison(_name)


@function("and", "or")
def logic(a: Any, b: Any) -> Tensor:
    return elementwise("bitwise_and", (a, b))


@function("where")
def where(condition: Tensor, a: Any, b: Any) -> Tensor:
    from archspec.backends.torch.fake.functions.create import tensor

    wanted = dtypes.mixed((a, b), current().default)
    branches = [x if isinstance(x, Tensor) else tensor(x, dtype=wanted) for x in (a, b)]
    return elementwise("where", (condition, *branches), [("condition", condition)], wanted)


@function("masked_fill")
def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    return elementwise("masked_fill", (x, mask), [("mask", mask)], x.dtype)


@function("add_", "sub_", "mul_", "div_", "clamp_")
def in_place(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x
