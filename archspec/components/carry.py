"""What one step of decoding leaves to the next: the last of a recurrence, or of what a convolution reads."""

from __future__ import annotations

from archspec.components.base import Place
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Handle
from archspec.ir.ops.recurrence import Scan
from archspec.ir.ops.reduce import Cumulate
from archspec.ir.ops.shape import Concat, Pad, Slice
from archspec.ir.ops.source import Cast, Full
from archspec.ir.ops.state import Keep, Recall
from archspec.ir.types import TensorType, axis_of, broadcast, promote, whole

ZERO, ONE = n.num(0), n.num(1)
BEFORE_ALL = {"sum": ZERO, "prod": ONE, "max": n.num(-3.0e38)}


def recall(at: Place, initial: Handle, name: str = "before") -> tuple[str, Handle]:
    """A new state that starts as `initial`: its name, and what is in it."""
    state = at.builder.state(Recall.kind, (initial.type,))
    return state, at.builder.apply(Recall(state), initial, name=name)


def keep(at: Place, state: str, x: Handle, tokens: Num) -> None:
    """Leaves x to the next step, which begins `tokens` later."""
    at.builder.results(Keep(state, tokens), x)


def behind_the_last(at: Place, x: Handle, axis: int, count: Num) -> Handle:
    """x behind the last `count` elements of the step before along `axis`, zeros at first.

    [.., S, ..] -> [.., count + S, ..].
    """
    sizes = x.type.shape
    state, before = recall(at, _zeros(at, TensorType(x.type.dtype, sizes), axis, (count,)))
    longer = at.builder.apply(Concat(axis), before, x, name="longer")
    last = at.builder.apply(Slice(axis, -count), longer, name="last")
    keep(at, state, last, sizes[axis])
    return longer


def shifted(at: Place, x: Handle, axis: int, by: Num) -> Handle:
    """x moved `by` places on along `axis`: behind zeros or, where that streams, behind what came before."""
    axis, b = axis_of(x.type, axis), at.builder
    whole(by, "shift: the distance", 1)
    size = x.type.shape[axis]
    longer = (
        behind_the_last(at, x, axis, by)
        if at.streams(size)
        else b.apply(Pad(axis, by, ZERO, ZERO), x, name=at.name)
    )
    return b.apply(Slice(axis, ZERO, size), longer, name=at.name)


def scanned(at: Place, a: Handle, b: Handle, axis: int, initial: Handle | None) -> Handle:
    """h_t = a_t * h_(t-1) + b_t along `axis`; where that streams, decoding goes on from the last h."""
    given = [x.type.dtype for x in (a, b, initial) if x is not None]
    type_ = TensorType(promote(*given), broadcast(a.type.shape, b.type.shape))
    axis = axis_of(type_, axis)
    op, names, size = Scan(axis), (at.name, "last"), type_.shape[axis]
    if not at.streams(size):
        return at.builder.results(op, a, b, initial, names=names)[0]
    first = _zeros(at, type_, axis, ()) if initial is None else _as(at, initial, type_.dtype)
    state, before = recall(at, first)
    h, last = at.builder.results(op, a, b, before, names=names)
    keep(at, state, last, size)
    return h


def cumulated(at: Place, fn: str, x: Handle, axis: int) -> Handle:
    """The running `sum`, `prod` or `max` along `axis`; where that streams, on from what came before."""
    axis, b = axis_of(x.type, axis), at.builder
    if not at.streams(x.type.shape[axis]):
        return b.apply(Cumulate(fn, axis), x, name=at.name)
    x = _as(at, x, "int64") if x.type.dtype == "bool" else x
    first = TensorType(x.type.dtype, (*x.type.shape[:axis], ONE, *x.type.shape[axis + 1 :]))
    start = Full(first.shape, BEFORE_ALL[fn], first.dtype)
    state, before = recall(at, b.apply(start, name="before"))
    longer = b.apply(Concat(axis), before, x, name="longer")
    all_ = b.apply(Cumulate(fn, axis), longer, name=at.name)
    keep(at, state, b.apply(Slice(axis, -ONE), all_, name="last"), x.type.shape[axis])
    return b.apply(Slice(axis, ONE), all_, name=at.name)


def _zeros(at: Place, type_: TensorType, axis: int, sizes: tuple[Num, ...]) -> Handle:
    """Zeros like a value, with `sizes` in place of an axis."""
    shape = (*type_.shape[:axis], *sizes, *type_.shape[axis + 1 :])
    return at.builder.apply(Full(shape, ZERO, type_.dtype), name="before")


def _as(at: Place, x: Handle, dtype: str) -> Handle:
    return x if x.type.dtype == dtype else at.builder.apply(Cast(dtype), x, name=x.value.name)
