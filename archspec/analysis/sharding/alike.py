"""What rules of operations share: axes that are alike, and axes that are needed whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from archspec.analysis.sharding.dims import Dims
from archspec.analysis.sharding.tensor import Tensor
from archspec.ir.op import Op

Operands: TypeAlias = tuple[Tensor | None, ...]
Results: TypeAlias = tuple[Tensor, ...]


def given(inputs: Operands) -> list[Tensor]:
    return [x for x in inputs if x is not None]


def alike(a: Tensor, b: Tensor, dims: Dims, skip: Iterable[int] = ()) -> None:
    """Axes counted from the end, where both have one of the same size; `skip` counts from the end, too."""
    for i in range(-min(len(a.axes), len(b.axes)), 0):
        size = a.type.shape[i].value
        if i not in skip and size == b.type.shape[i].value and size != 1:
            dims.unite(a.axes[i], b.axes[i])


def elementwise(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    for x in given(inputs):
        for y in outputs:
            alike(x, y, dims)
    return ()


def whole(op: Op, axes: Iterable[int], inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    """Elementwise, but needs these axes of its first operand whole."""
    x = given(inputs)[0]
    numbers = {axis % len(x.axes) for axis in axes}
    for y in outputs:
        if len(y.axes) == len(x.axes):
            alike(x, y, dims, {i - len(x.axes) for i in numbers})
    for tensor in (x, *(y for y in outputs if len(y.axes) == len(x.axes))):
        for axis in numbers:
            dims.block(tensor.axes[axis], f"{op.name} needs it whole")
    return ()


def along(op: Any, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    return whole(op, (op.axis,), inputs, outputs, dims)


def last(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    return whole(op, (-1,), inputs, outputs, dims)
