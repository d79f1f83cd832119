"""Element by element. What is saved follows torch's derivative of each function (derivatives.yaml)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.functions.create import tensor
from archspec.backends.torch.fake.make import Saves, made, ran
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor


def elementwise(
    name: str, operands: Sequence[Any], saves: Saves = (), dtype: DType | None = None, detail: Any = None
) -> Tensor:
    """A result of broadcasting; operands may be Python numbers."""
    tensors = [x for x in operands if isinstance(x, Tensor)]
    first = tensors[0]
    if len(tensors) == 1 and first.is_contiguous():
        shape, strides = first.shape, first.strides
    else:
        shape = layout.broadcast(*[x.shape for x in tensors])
        strides = layout.elementwise(shape, tuple([(x.shape, x.strides) for x in tensors]))
    if dtype is None:
        dtype = first.dtype if len(operands) == 1 else dtypes.mixed(operands, current().default)
    out = made(name, tensors, shape, dtype, strides=strides, saves=saves, detail=detail)
    known = [x.filled for x in tensors if x.filled is not None and x.shape == out.shape]
    out.filled = min(known) if known else None
    return out


def saved(**operands: Any) -> list[tuple[str, Tensor | None]]:
    """Those of the operands that are tensors."""
    return [(name, x) for name, x in operands.items() if isinstance(x, Tensor)]


def grad(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


# Of one operand: what the derivative reads, the operand or the result.

_ONE: dict[str, Literal["x", "y", ""]] = {
    **dict.fromkeys(("exp", "exp2", "expm1", "sigmoid", "tanh", "sqrt", "rsqrt", "reciprocal", "relu"), "y"),
    **dict.fromkeys(("log", "log1p", "sin", "cos", "abs", "erf", "silu", "softplus", "mish"), "x"),
    **dict.fromkeys(("hardswish", "elu", "selu"), "x"),
    **dict.fromkeys(("neg", "sign", "round", "floor", "ceil"), ""),
}  # fmt: skip
_OF_WHOLE_NUMBERS = frozenset(("neg", "abs", "sign", "round", "floor", "ceil", "relu"))


def _one(name: str, reads: Literal["x", "y", ""]) -> Callable[..., Tensor]:
    def apply(x: Tensor) -> Tensor:
        saves: Saves = [("input", x)] if reads == "x" else [("result", None)] if reads == "y" else []
        stays = x.dtype.is_floating_point or name in _OF_WHOLE_NUMBERS
        return elementwise(name, (x,), saves, None if stays else current().default)

    return function(name)(apply)


_ALL_OF_ONE = {name: _one(name, reads) for name, reads in _ONE.items()}
absolute, neg, reciprocal, rsqrt, sin, cos = (
    _ALL_OF_ONE[name] for name in ("abs", "neg", "reciprocal", "rsqrt", "sin", "cos")
)


@function("gelu")
def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    return elementwise("gelu", (x,), [("input", x)])


@function("leaky_relu")
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    return elementwise("leaky_relu", (x,), [("input", x)])


@function("square")
def square(x: Tensor) -> Tensor:
    return elementwise("pow", (x,), [("input", x)])


@function("logical_not")
def logical_not(x: Tensor) -> Tensor:
    return elementwise("logical_not", (x,), dtype=dtypes.bool_)


@function("bitwise_not")
def bitwise_not(x: Tensor) -> Tensor:
    return elementwise("bitwise_not", (x,))


@function("clamp")
def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    bounds = [bound for bound in (min, max) if bound is not None]
    return elementwise("clamp", (x, *bounds), saved(self=x))


# Of two operands.


@function("add")
def add(a: Any, b: Any) -> Tensor:
    return elementwise("add", (a, b))


@function("sub")
def sub(a: Any, b: Any) -> Tensor:
    return elementwise("sub" if isinstance(a, Tensor) else "rsub", (a, b))


@function("mul")
def mul(a: Any, b: Any) -> Tensor:
    kept = saved(other=b if grad(a) else None) + saved(self=a if grad(b) else None)
    return elementwise("mul", (a, b), kept)


@function("div")
def div(a: Any, b: Any) -> Tensor:
    if not isinstance(a, Tensor):
        return mul(reciprocal(b), a)
    kept = saved(other=b) + saved(self=a if grad(b) else None)
    floats = isinstance(b, float) or any(isinstance(x, Tensor) and x.is_floating_point() for x in (a, b))
    return elementwise("div", (a, b), kept, None if floats else current().default)


@function("floor_divide")
def floor_divide(a: Any, b: Any) -> Tensor:
    return elementwise("floor_divide", (a, b))


@function("remainder")
def remainder(a: Any, b: Any) -> Tensor:
    return elementwise("remainder", (a, b))


@function("pow")
def power(a: Any, b: Any) -> Tensor:
    if not isinstance(b, Tensor):
        return elementwise("pow", (a, b), saved(self=a))
    return elementwise("pow", (a, b), [*saved(self=a, exponent=b), ("result", None)])


@function("maximum", "minimum")
def maximum(a: Tensor, b: Tensor) -> Tensor:
    return elementwise("maximum", (a, b), saved(self=a, other=b))


@function("addcmul")
def addcmul(x: Tensor, a: Tensor, b: Tensor, value: float = 1, out: Tensor | None = None) -> Tensor:
    if out is not None:
        return written("addcmul", out, (x, a, b))
    kept = saved(tensor2=b if grad(a) else None) + saved(tensor1=a if grad(b) else None)
    return elementwise("addcmul", (x, a, b), kept)


def _comparison(name: str) -> Callable[[Any, Any], Tensor]:
    return lambda a, b: elementwise(name, (a, b), dtype=dtypes.bool_)


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    function(_name)(_comparison(_name))


@function("bitwise_and", "bitwise_or")
def bitwise(a: Any, b: Any) -> Tensor:
    return elementwise("bitwise_and", (a, b))


@function("where")
def where(condition: Tensor, a: Any, b: Any) -> Tensor:
    wanted = dtypes.mixed((a, b), current().default)
    branches = [x if isinstance(x, Tensor) else tensor(x, dtype=wanted) for x in (a, b)]
    return elementwise("where", (condition, *branches), [("condition", condition)], wanted)


@function("masked_fill")
def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    shape = layout.broadcast(x.shape, mask.shape)
    return made("masked_fill", (x, mask), shape, x.dtype, saves=[("mask", mask)])


def written(name: str, out: Tensor, operands: Sequence[Any]) -> Tensor:
    """An operation that writes into a tensor that is there."""
    run = current()
    if run.counting:
        ran(run, name, [x for x in operands if isinstance(x, Tensor)], out)
    return out


def _in_place(name: str) -> Callable[..., Tensor]:
    def apply(x: Tensor, *operands: Any) -> Tensor:
        return written(name, x, (x, *operands))

    return apply


for _name in ("add_", "sub_", "mul_", "div_"):
    function(_name)(_in_place(_name))
