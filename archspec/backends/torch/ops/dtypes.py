"""Dtypes in emitted source: their names, casts, and where torch's promotion differs from the IR's."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.torch.code import Code, Emission
from archspec.backends.torch.ops.rules import operand, type_of
from archspec.backends.torch.ops.write import is_name, method
from archspec.ir.types import TensorType, is_float

# What `float` may be when the model runs. A float64 model computes its islands in float64 as well.
_MODEL = ("float16", "bfloat16", "float32")
_METHOD = {"float32": "float", "int64": "long", "bool": "bool"}
_WIDTH = ("bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64")
_JOIN: dict[frozenset[str], str] = {
    frozenset(("uint8", "int8")): "int16",
    frozenset(("float16", "bfloat16")): "float32",
}


def dtype(place: Emission, name: str) -> str:
    """An expression for a dtype of the IR."""
    if name == "float":
        return place.model_dtype()
    place.require("import torch")
    return f"torch.{name}"


def cast(place: Emission, x: Code, name: str, like: Code | None = None) -> Code:
    """`x` in another dtype: `x.float()`, `x.to(y.dtype)` where the name `like` has it, or spelled out."""
    if name in _METHOD:
        return method(x, _METHOD[name])
    if like is not None and is_name(like):
        return method(x, "to", f"{like.text}.dtype")
    return method(x, "to", dtype(place, name))


def settle(place: Emission, x: Code, have: str | None, like: Code | None = None) -> Code:
    """`x`, cast where the dtype torch gives it (None: it varies) is not that of the result."""
    want = place.outputs[0].dtype
    return x if have == want else cast(place, x, want, like)


def widened(place: Emission, args: Sequence[Code | None], indices: Sequence[int], want: str) -> list[Code]:
    """Operands for a function that takes one dtype only."""
    return [
        operand(args, i) if type_of(place, i).dtype == want else cast(place, operand(args, i), want)
        for i in indices
    ]


def promoted(want: str, *types: TensorType) -> str | None:
    """`want`, where torch's promotion of the operands gives it whatever dtype the model is built in."""
    agree = all(_promote(types, model) == _as(want, model) for model in _MODEL)
    return want if agree else None


def _as(name: str, model: str) -> str:
    return model if name == "float" else name


def _promote(types: Sequence[TensorType], model: str) -> str:
    """torch.result_type: a tensor with axes outranks one without, unless that one is of a higher kind."""
    full = [_as(t.dtype, model) for t in types if t.rank]
    scalars = [_as(t.dtype, model) for t in types if not t.rank]
    if not full or not scalars:
        return _join(full or scalars)
    high, low = _join(full), _join(scalars)
    return high if _kind(high) >= _kind(low) else _join([high, low])


def _kind(name: str) -> int:
    return 0 if name == "bool" else 2 if is_float(name) else 1


def _join(names: Sequence[str]) -> str:
    first = names[0]
    for other in names[1:]:
        first = _JOIN.get(frozenset((first, other))) or max(first, other, key=_WIDTH.index)
    return first
