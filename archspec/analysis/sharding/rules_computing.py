"""Rules of operations that compute: what they sum over, and what they need whole."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.analysis.sharding.alike import Operands, Results, alike, elementwise, given, whole
from archspec.analysis.sharding.dims import Dims
from archspec.dims.expr import Expr, Name, names
from archspec.ir.op import Op
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.contract import Conv, ConvTranspose, Einsum
from archspec.ir.ops.norm import GroupNorm
from archspec.ir.ops.recurrence import Scan
from archspec.ir.ops.reduce import ArgReduce, LogSumExp, Reduce
from archspec.ir.score import bare, lookups


def norm(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    axis = 1 if isinstance(op, GroupNorm) else -1
    affine(inputs, outputs, dims, axis)
    return whole(op, (axis,), inputs, outputs, dims)


def affine(inputs: Operands, outputs: Results, dims: Dims, axis: int) -> None:
    for param in given(inputs[1:]):
        if param.axes:
            dims.unite(outputs[0].axes[axis], param.axes[0])


def batchnorm(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    affine(inputs, outputs, dims, 1)
    return elementwise(op, inputs[:1], outputs, dims)


def linear(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    (x, weight), y = given(inputs)[:2], outputs[0]
    for a, b in zip(x.axes[:-1], y.axes[:-1], strict=True):
        dims.unite(a, b)
    dims.unite(weight.axes[0], y.axes[-1])
    dims.unite(weight.axes[1], x.axes[-1])
    for bias in given(inputs[2:]):
        dims.unite(bias.axes[0], y.axes[-1])
    return (x.axes[-1],)


def matmul(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    (a, b), y = given(inputs), outputs[0]
    for x in (a, b):
        alike(x, y, dims, {-2, -1})
    for x, i in ((a, -2), (b, -1)):
        dims.unite(x.axes[i], y.axes[i])
    dims.unite(a.axes[-1], b.axes[-2])
    return (a.axes[-1],)


def einsum(op: Einsum, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    left, _, right = op.equation.replace(" ", "").partition("->")
    first = dict(zip(right, outputs[0].axes, strict=True))
    summed: dict[str, int] = {}
    for letters, x in zip(left.split(","), given(inputs), strict=True):
        for letter, axis in zip(letters, x.axes, strict=True):
            known = first.setdefault(letter, axis)
            dims.unite(known, axis)
            if letter not in right:
                summed[letter] = axis
    return summed.values()


def conv(op: Conv | ConvTranspose, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    (x, weight), y = given(inputs)[:2], outputs[0]
    out_first = isinstance(op, Conv)
    dims.unite(x.axes[0], y.axes[0])
    for tensor in (x, y, weight):
        for axis in tensor.axes[2:]:
            dims.block(axis, f"{op.name} reads its neighbours")
    for bias in given(inputs[2:]):
        dims.unite(bias.axes[0], y.axes[1])
    into, out = (1, 0) if out_first else (0, 1)
    if op.groups.value == 1:
        dims.unite(weight.axes[into], x.axes[1])
        dims.unite(weight.axes[out], y.axes[1])
        return (x.axes[1],)
    if (
        weight.type.shape[1].value == 1 and weight.type.shape[0].value == op.groups.value
    ):  # each channel alone
        dims.unite(x.axes[1], weight.axes[0])
        dims.unite(x.axes[1], y.axes[1])
        return ()
    for axis in (x.axes[1], y.axes[1], weight.axes[0]):
        dims.block(axis, f"{op.name} works in {op.groups.described()} groups")
    return ()


def free(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    """Made from nothing, or of axes that are no one else's: each device makes its part."""
    return ()


def reduce(op: Reduce, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    (x,), y = given(inputs), outputs[0]
    folded = {axis % len(x.axes) for axis in op.axes}
    kept = [i for i in range(len(x.axes)) if i not in folded]
    for i, axis in zip(kept, [i for i in range(len(y.axes)) if not op.keep or i not in folded], strict=True):
        dims.unite(x.axes[i], y.axes[axis])
    if op.fn == "sum":
        return [x.axes[i] for i in folded]
    for i in folded:
        dims.block(x.axes[i], f"{op.name} needs it whole")
    return ()


def fold(op: LogSumExp | ArgReduce, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    """One axis is gone."""
    x = given(inputs)[0]
    axis = op.axis % len(x.axes)
    dims.block(x.axes[axis], f"{op.name} needs it whole")
    for a, b in zip((*x.axes[:axis], *x.axes[axis + 1 :]), outputs[0].axes, strict=True):
        dims.unite(a, b)
    return ()


def scan(op: Scan, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    all_, last = outputs
    axis = op.axis % len(all_.axes)
    for x in given(inputs[:2]):
        alike(x, all_, dims)
    dims.block(all_.axes[axis], "scan goes along it")
    rest = (*all_.axes[:axis], *all_.axes[axis + 1 :])
    for tensor in (last, *given(inputs[2:])):
        for a, b in zip(rest, tensor.axes, strict=True):
            dims.unite(a, b)
    return ()


def attention(op: Attention, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    (q, k, v), y = given(inputs[:3]), outputs[0]
    for i, tensor in ((0, k), (0, v), (0, y), (1, y), (2, y)):
        dims.unite(q.axes[i], tensor.axes[i])
    for i in (1, 2):
        dims.unite(k.axes[i], v.axes[i])
    many, few = q.type.shape[1].value, k.type.shape[1].value
    (dims.unite if many == few else dims.link)(q.axes[1], k.axes[1])
    for axis in (q.axes[3], k.axes[3], v.axes[3], y.axes[3]):
        dims.block(axis, "is the width of a head")
    if inputs[3:4] and inputs[3] is not None:
        alike(inputs[3], y, dims, {-1})
    for sinks in given(inputs[4:5]):
        dims.unite(sinks.axes[0], q.axes[1])
    if op.mask is not None and "h" in set(names(op.mask)):
        dims.block(q.axes[1], "the mask asks for the head's number")
    if op.score is not None:
        _scored(op, op.score, inputs, dims)
    return ()


def _scored(op: Attention, score: Expr, inputs: Operands, dims: Dims) -> None:
    """What is looked up at a head's number is cut as heads are; so is what is looked up at an example's."""
    (q, *_), tensors = given(inputs[:3]), dict(zip(op.operands, inputs[5:], strict=True))
    for part in lookups(score):
        tensor = tensors[next(names(part.base))]
        for axis, item in zip(tensor.axes if tensor else (), part.items, strict=tensor is not None):
            if item in (Name("b"), Name("h")):
                dims.unite(axis, q.axes[0 if item == Name("b") else 1])
    if "h" in bare(score):
        dims.block(q.axes[1], "the score asks for the head's number")


def cross_entropy(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    """Over classes that are spread, it takes the maximum, the sum and the target's score from each device."""
    return ()


def error(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    for x in given(inputs):
        for axis in x.axes:
            dims.block(axis, f"{op.name} averages over it")
    return ()


def grid(op: Op, inputs: Operands, outputs: Results, dims: Dims) -> Iterable[int]:
    x, y = given(inputs)[0], outputs[0]
    for i in (0, 1):
        dims.unite(x.axes[i], y.axes[i])
    for axis in (*x.axes[2:], *y.axes[2:]):
        dims.block(axis, f"{op.name} reads its neighbours")
    return ()
