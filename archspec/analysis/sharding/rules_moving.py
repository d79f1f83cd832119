"""Rules of operations that move elements: what stays one dimension, and what a dimension is made of."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.analysis.sharding.alike import Operands, Results, alike, along, elementwise, given
from archspec.analysis.sharding.dims import Dims, aligned
from archspec.ir.op import Op
from archspec.ir.ops.shape import Concat, Gather, Permute, Scatter, Slice, Split, Take
from archspec.ir.ops.state import Append


def reshape(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    (x,), y = given(inputs), outputs[0]
    for before, after in aligned(x.type.shape, y.type.shape):
        a, b = [x.axes[i] for i in before], [y.axes[i] for i in after]
        if len(a) == 1 or len(b) == 1:
            dims.group(*((a[0], b) if len(a) == 1 else (b[0], a)))
        else:
            for axis in (*a, *b):
                dims.block(axis, "is reshaped across what it is made of")
    return ()


def permute(op: Permute, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    for i, axis in enumerate(op.axes):
        dims.unite(given(inputs)[0].axes[axis], outputs[0].axes[i])
    return ()


def pieces(op: Concat | Split, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    """Split, and concat, which is its opposite."""
    joined = isinstance(op, Concat)
    whole, parts = (outputs[0], given(inputs)) if joined else (given(inputs)[0], outputs)
    axis = op.axis % len(whole.axes)
    for part in parts:
        alike(part, whole, dims, {axis - len(whole.axes)})
        if part.type.shape[axis].value == 1 and len(parts) > 1:
            dims.block(part.axes[axis], "is a single element")
    if len(parts) == 1:
        dims.unite(whole.axes[axis], parts[0].axes[axis])
    else:
        dims.total(whole.axes[axis], [part.axes[axis] for part in parts])
    return ()


def slice_(op: Slice, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    x = given(inputs)[0]
    same = x.type.shape[op.axis].value == outputs[0].type.shape[op.axis].value
    return elementwise(op, inputs, outputs, dims) if same else along(op, inputs, outputs, dims)


def gather(op: Gather, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    """A table that is read by what the caller gives is a vocabulary: each device looks up what it has."""
    (x, index), y = given(inputs), outputs[0]
    axis = op.axis % len(x.axes)
    into = len(index.axes)
    made = (*x.axes[:axis], *index.axes, *x.axes[axis + 1 :])
    for a, b in zip(made, y.axes, strict=True):
        dims.unite(a, b)
    if axis == 0 and x.owner and index.given and into:
        return (x.axes[0],)
    dims.block(x.axes[axis], "is read by index")
    return ()


def take(op: Take | Scatter, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    """Take and scatter: the axis of each tensor is whole, the others are alike."""
    axis = op.axis % len(outputs[0].axes)
    tensors = (*given(inputs), *outputs)
    for tensor in tensors:
        dims.block(tensor.axes[axis], f"{op.name} reads it by index")
        alike(tensor, outputs[0], dims, {axis - len(outputs[0].axes)})
    return ()


def grown(op: Append, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    for x, y in zip(given(inputs), outputs, strict=True):
        alike(x, y, dims, {op.axis % len(x.axes) - len(x.axes)})
    return ()


def kept(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    for x, y in zip(given(inputs), outputs, strict=False):
        alike(x, y, dims)
    return ()
