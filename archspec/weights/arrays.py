"""What this room needs from arrays, so that numpy's and torch's both serve and neither is imported."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

# A numpy.ndarray or a torch.Tensor. The two share no type that a checker could name.
Array: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]

_KINDS = {"float": "float", "bfloat": "float", "int": "integer", "uint": "integer", "bool": "boolean"}


class Reader(Protocol):
    """Gives the array of one name, reading it now."""

    def __call__(self, name: str, /) -> Array: ...


class ArrayModule(Protocol):
    """The module `numpy` or `torch`."""

    def concatenate(self, arrays: list[Array], axis: int, /) -> Array: ...

    def stack(self, arrays: list[Array], axis: int, /) -> Array: ...


class TensorSpec(Struct, frozen=True):
    """A tensor without its values. `dtype` is spelt as torch spells it: `float32`, `int64`, `bool`."""

    shape: Shape
    dtype: str = "float32"

    @property
    def kind(self) -> str:
        """`float`, `integer` or `boolean`: what may stand for what in a checkpoint."""
        return _KINDS.get(self.dtype.rstrip("0123456789_"), self.dtype)

    @property
    def size(self) -> int:
        return prod(self.shape)


NO_SPECS: Mapping[str, TensorSpec] = MappingProxyType({})


def written(shape: Shape) -> str:
    """`[768, 2304]`."""
    return f"[{', '.join(map(str, shape))}]"


def same(one: Array, other: Array) -> bool:
    """Whether two arrays hold equal values; NaN equals NaN."""
    if tuple(one.shape) != tuple(other.shape):
        return False
    equal = one == other
    return bool(equal.all()) or bool((equal | ((one != one) & (other != other))).all())
