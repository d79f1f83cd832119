"""The functions of tensor expressions. Each is one IR operation, or a few.

The parameters' annotations say what may be written: a tensor, tensors, a number, numbers, an axis, a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from archspec.components.arrange import rearrange as rearranged
from archspec.components.base import Place, Problem
from archspec.components.carry import cumulated, scanned, shifted
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Handle
from archspec.ir.op import Op
from archspec.ir.ops import elementwise, loss, reduce, shape, source
from archspec.ir.types import DTYPES, axis_of
from archspec.lowering.products import conv, einsum, linear, matmul

Function: TypeAlias = Callable[..., "Handle | tuple[Handle, ...] | Num"]
FUNCTIONS: dict[str, Function] = {}
MAX_PARTS = 1_000
ZERO, ONE, IGNORED = n.num(0), n.num(1), n.num(-100)


def function(fn: Function) -> Function:
    FUNCTIONS[fn.__name__.rstrip("_")] = fn
    return fn


def _one(at: Place, op: Op, *inputs: Handle, name: str | None = None) -> Handle:
    return at.builder.apply(op, *inputs, name=name or at.name)


def _axes(x: Handle, axis: int | tuple[Num, ...] | None) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.type.rank))
    given = (axis,) if isinstance(axis, int) else tuple(int(a) for a in axis)
    return tuple(axis_of(x.type, a) for a in given)


def _map(fn: str) -> None:
    def apply(at: Place, x: Handle) -> Handle:
        return _one(at, elementwise.Map(fn), x)

    FUNCTIONS[fn] = apply


def _reduction(fn: str) -> None:
    def apply(at: Place, x: Handle, axis: int | tuple[Num, ...] | None = None, keep: bool = False) -> Handle:
        return _one(at, reduce.Reduce(fn, _axes(x, axis), keep), x)

    FUNCTIONS[fn] = apply


for _fn in elementwise.MAPS:
    if _fn not in ("not", "neg"):
        _map(_fn)
for _fn in ("sum", "mean", "max", "min", "prod", "var", "any", "all"):
    _reduction(_fn)
for _function in (matmul, einsum, linear, conv):
    function(_function)


@function
def where(at: Place, condition: Handle, a: Handle | Num, b: Handle | Num) -> Handle:
    """A side may be a number, in the other side's dtype; two whole numbers give integers."""
    whole = all(isinstance(side, Num) and not isinstance(side.value, float) for side in (a, b))
    like = next((s.type.dtype for s in (a, b) if isinstance(s, Handle)), "int64" if whole else "float")
    sides = [s if isinstance(s, Handle) else _one(at, source.Full((), s, like)) for s in (a, b)]
    return _one(at, elementwise.Where(), condition, *sides)


@function
def minimum(at: Place, a: Handle, b: Handle) -> Handle:
    return _one(at, elementwise.Arith("minimum"), a, b)


@function
def maximum(at: Place, a: Handle, b: Handle) -> Handle:
    return _one(at, elementwise.Arith("maximum"), a, b)


@function
def clamp(at: Place, x: Handle, low: Num | None = None, high: Num | None = None) -> Handle:
    return _one(at, elementwise.Clamp(low, high), x)


@function
def dropout(at: Place, x: Handle, p: Num) -> Handle:
    return _one(at, elementwise.Dropout(p), x)


@function
def otherwise(at: Place, x: Handle, y: Handle) -> Handle:
    """An optional input, or another tensor where it is absent."""
    return _one(at, source.Otherwise(), x, y) if x.value.optional else x


@function
def stop_gradient(at: Place, x: Handle) -> Handle:
    return _one(at, elementwise.StopGradient(), x)


@function
def softmax(at: Place, x: Handle, axis: int = -1) -> Handle:
    return _one(at, reduce.Softmax(axis), x)


@function
def logsumexp(at: Place, x: Handle, axis: int = -1) -> Handle:
    return _one(at, reduce.LogSumExp(axis), x)


@function
def argmax(at: Place, x: Handle, axis: int = -1) -> Handle:
    return _one(at, reduce.ArgReduce("max", axis), x)


@function
def argmin(at: Place, x: Handle, axis: int = -1) -> Handle:
    return _one(at, reduce.ArgReduce("min", axis), x)


@function
def cumsum(at: Place, x: Handle, axis: int = -1) -> Handle:
    return cumulated(at, "sum", x, axis)


@function
def cumprod(at: Place, x: Handle, axis: int = -1) -> Handle:
    return cumulated(at, "prod", x, axis)


@function
def cummax(at: Place, x: Handle, axis: int = -1) -> Handle:
    return cumulated(at, "max", x, axis)


@function
def scan(at: Place, a: Handle, b: Handle, axis: int = 1, initial: Handle | None = None) -> Handle:
    return scanned(at, a, b, axis, initial)


@function
def shift(at: Place, x: Handle, by: Num = ONE, axis: int = 1) -> Handle:
    return shifted(at, x, axis, by)


@function
def topk(at: Place, x: Handle, k: Num) -> tuple[Handle, ...]:
    names = at.names if len(at.names) == 2 else ("values", "indices")
    return at.builder.results(reduce.TopK(k), x, names=names)


@function
def reshape(at: Place, x: Handle, sizes: tuple[Num, ...]) -> Handle:
    return _one(at, shape.Reshape(_inferred(x, sizes)), x)


def _inferred(x: Handle, sizes: tuple[Num, ...]) -> tuple[Num, ...]:
    """Sizes with the one written -1 worked out."""
    unknown = [i for i, s in enumerate(sizes) if s.value == -1]
    if len(unknown) > 1:
        raise Problem("T009", "only one size may be -1")
    if not unknown:
        return sizes
    rest = n.product(tuple(s for s in sizes if s.value != -1))
    return tuple(n.product(x.type.shape) // rest if i in unknown else s for i, s in enumerate(sizes))


@function
def permute(at: Place, x: Handle, axes: tuple[Num, ...]) -> Handle:
    return _one(at, shape.Permute(_axes(x, axes)), x)


@function
def transpose(at: Place, x: Handle, a: int, b: int) -> Handle:
    order = list(range(x.type.rank))
    first, second = axis_of(x.type, a), axis_of(x.type, b)
    order[first], order[second] = second, first
    return _one(at, shape.Permute(tuple(order)), x)


@function
def expand(at: Place, x: Handle, sizes: tuple[Num, ...]) -> Handle:
    return _one(at, shape.Expand(sizes), x)


@function
def unsqueeze(at: Place, x: Handle, axis: int) -> Handle:
    if not -x.type.rank - 1 <= axis <= x.type.rank:
        raise Problem("T002", f"{x.type} has no place for an axis {axis}")
    position = axis % (x.type.rank + 1)
    return _one(at, shape.Reshape((*x.type.shape[:position], n.num(1), *x.type.shape[position:])), x)


@function
def squeeze(at: Place, x: Handle, axis: int) -> Handle:
    position = axis_of(x.type, axis)
    return _one(at, shape.Reshape(x.type.shape[:position] + x.type.shape[position + 1 :]), x)


@function
def rearrange(at: Place, x: Handle, pattern: str, **sizes: Num) -> Handle:
    return rearranged(at.builder, x, pattern, sizes, at.name)


@function
def split(at: Place, x: Handle, sizes: Num | tuple[Num, ...], axis: int = -1) -> tuple[Handle, ...]:
    """Equal parts (`split(x, 3)`) or parts of the given sizes (`split(x, [a, b])`)."""
    if isinstance(sizes, Num):
        total = x.type.shape[axis_of(x.type, axis)]
        if not 1 <= int(sizes) <= MAX_PARTS:
            message = f"'split' makes between 1 and {MAX_PARTS} parts, not {sizes.described()}"
            raise Problem("T008", message, hint="'rearrange' gives parts an axis of their own")
        if total.static and int(total) % int(sizes):
            raise Problem("T008", f"{total.described()} does not split into {sizes.described()} equal parts")
        sizes = (total // sizes,) * int(sizes)
    return at.builder.results(shape.Split(axis, sizes), x, names=at.results(len(sizes)))


@function
def concat(at: Place, parts: Sequence[Handle], axis: int = -1) -> Handle:
    return _one(at, shape.Concat(axis), *parts)


@function
def stack(at: Place, parts: Sequence[Handle], axis: int = 0) -> Handle:
    return concat(at, [unsqueeze(at, part, axis) for part in parts], axis)  # type: ignore[return-value]  # one result each


@function
def pad(at: Place, x: Handle, axis: int, before: Num = ZERO, after: Num = ZERO, value: Num = ZERO) -> Handle:
    return _one(at, shape.Pad(axis, before, after, value), x)


@function
def gather(at: Place, x: Handle, index: Handle, axis: int = 0) -> Handle:
    return _one(at, shape.Gather(axis), x, index)


@function
def take(at: Place, x: Handle, index: Handle, axis: int = -1) -> Handle:
    return _one(at, shape.Take(axis), x, index)


@function
def scatter(at: Place, x: Handle, index: Handle, size: Num, axis: int = -1) -> Handle:
    """Zeros of `size` along an axis, with x at its indices: the other way round from `take`."""
    return _one(at, shape.Scatter(axis, size), x, index)


@function
def cross_entropy(
    at: Place, logits: Handle, target: Handle, ignore_index: Num = IGNORED, label_smoothing: Num = ZERO
) -> Handle:
    """Mean negative log-likelihood in nats: logits [..., C], target [...] integers -> []."""
    return _one(at, loss.CrossEntropy(ignore_index, label_smoothing), logits, target)


@function
def flip(at: Place, x: Handle, axis: int) -> Handle:
    return _one(at, shape.Flip(axis), x)


@function
def roll(at: Place, x: Handle, shift: Num, axis: int) -> Handle:
    return _one(at, shape.Roll(axis, shift), x)


@function
def cast(at: Place, x: Handle, dtype: str) -> Handle:
    if dtype not in DTYPES:
        raise Problem("T010", f"unknown dtype '{dtype}'", hint=f"known: {', '.join(DTYPES)}")
    return _one(at, source.Cast(dtype), x)


@function
def iota(at: Place, size: Num, start: Num = ZERO) -> Handle:
    return _one(at, source.Iota(size, start))


@function
def positions(at: Place, x: Handle, axis: int = 1) -> Handle:
    """Positions of x's elements along an axis, counted from the tokens already seen: [S]."""
    size_ = x.type.shape[axis_of(x.type, axis)]
    return _one(at, source.Iota(size_, at.seen(size_)), name="positions")


@function
def full(at: Place, sizes: tuple[Num, ...], value: Num) -> Handle:
    return _one(at, source.Full(sizes, value, "float" if isinstance(value.value, float) else "int64"))


@function
def zeros_like(at: Place, x: Handle) -> Handle:
    return _one(at, source.Full(x.type.shape, n.num(0), x.type.dtype))


@function
def ones_like(at: Place, x: Handle) -> Handle:
    return _one(at, source.Full(x.type.shape, n.num(1), x.type.dtype))


@function
def randn_like(at: Place, x: Handle) -> Handle:
    return _one(at, source.Random(x.type.shape, "normal"))


@function
def rand_like(at: Place, x: Handle) -> Handle:
    return _one(at, source.Random(x.type.shape, "uniform"))


@function
def size(at: Place, x: Handle, axis: int) -> Num:
    return x.type.shape[axis_of(x.type, axis)]
