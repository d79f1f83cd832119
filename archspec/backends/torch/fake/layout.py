"""Strides: how a tensor lies in its storage, and when a view of another shape needs a copy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias, cast

Ints: TypeAlias = tuple[int, ...]
remembered = lru_cache(4096)  # layers alike ask the same again


def each(value: Any, count: int) -> Ints:
    """One number for every axis, or one each."""
    return tuple(cast("Sequence[int]", value)) if isinstance(value, (tuple, list)) else (value,) * count


@remembered
def contiguous(shape: Ints) -> Ints:
    """Row-major strides, in elements."""
    strides, step = list[int](), 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


@remembered
def count(shape: Ints) -> int:
    """How many elements there are."""
    return math.prod(shape)


@remembered
def distinct(shape: Ints, strides: Ints) -> int:
    """How many elements there are in memory, where an expanded axis repeats none."""
    return math.prod(n for n, stride in zip(shape, strides, strict=True) if stride)


@remembered
def is_contiguous(shape: Ints, strides: Ints) -> bool:
    """Whether the elements lie row by row."""
    step = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1:
            if stride != step:
                return False
            step *= size
    return True


@remembered
def channels_last(shape: Ints) -> Ints:
    """Strides of a grid [B, C, ..] whose channels lie side by side."""
    order = [0, *range(2, len(shape)), 1]
    strides = contiguous(tuple([shape[axis] for axis in order]))
    return tuple([strides[order.index(axis)] for axis in range(len(shape))])


def is_channels_last(shape: Ints, strides: Ints) -> bool:
    """Whether a grid lies so, and not row by row as well."""
    return len(shape) > 2 and not is_contiguous(shape, strides) and strides == channels_last(shape)


@remembered
def is_dense(shape: Ints, strides: Ints) -> bool:
    """Whether the elements fill one piece of memory, each once, in whatever order."""
    step = 1
    for stride, size in sorted((s, n) for n, s in zip(shape, strides, strict=True) if n != 1):
        if stride != step:
            return False
        step *= size
    return True


@remembered
def viewed(shape: Ints, strides: Ints, new: Ints) -> Ints | None:
    """The strides of `new` over the same storage; None where it needs a copy."""
    if not math.prod(shape):
        return contiguous(new) if shape != new else strides
    out, at = [0] * len(new), len(new) - 1
    for size, step in _runs(shape, strides):
        part = 1
        while at >= 0 and (part < size or new[at] == 1):
            out[at] = part * step
            part *= new[at]
            at -= 1
        if part != size:
            return None
    return tuple(out) if at == -1 else None


def _runs(shape: Ints, strides: Ints) -> list[tuple[int, int]]:
    """Axes that lie behind one another as one axis each, the last first: sizes and strides."""
    runs, size, base = list[tuple[int, int]](), 1, strides[-1] if strides else 1
    for axis in reversed(range(len(shape))):
        size *= shape[axis]
        step = size * base
        if axis == 0 or (shape[axis - 1] != 1 and strides[axis - 1] != step):
            runs.append((size, base))
            size, base = 1, strides[axis - 1] if axis else base
    return runs or [(1, 1)]


@remembered
def elementwise(shape: Ints, operands: tuple[tuple[Ints, Ints], ...]) -> Ints:
    """The strides torch gives an elementwise result: the operands' order of axes.

    `operands` are shapes and strides. Source: `TensorIteratorBase::reorder_dimensions`.
    """
    if all(is_contiguous(*operand) for operand in operands):
        return contiguous(shape)
    same = all(given == shape and strides == operands[0][1] for given, strides in operands)
    if same and is_dense(*operands[0]):
        return operands[0][1]
    spread = [_spread(shape, given, strides) for given, strides in operands]
    order = list(reversed(range(len(shape))))
    for i in range(1, len(order)):
        at = i
        for j in reversed(range(i)):
            comparison = _compared(order[j], order[at], shape, spread)
            if comparison > 0:
                order[at], order[j] = order[j], order[at]
                at = j
            elif comparison < 0:
                break
    return _in_order(shape, order)


def _spread(shape: Ints, given: Ints, strides: Ints) -> Ints:
    """Strides over the result's axes: 0 where an axis is missing, or repeated."""
    lead = len(shape) - len(given)
    kept = (0 if n == 1 and shape[lead + i] != 1 else strides[i] for i, n in enumerate(given))
    return (*[0] * lead, *kept)


def _compared(a: int, b: int, shape: Ints, operands: Sequence[Ints]) -> int:
    """Whether axis `a` has to change places with `b`, which lies further out: 1, -1, or 0 for either."""
    for strides in operands:
        if strides[a] and strides[b]:
            if strides[a] != strides[b]:
                return 1 if strides[a] > strides[b] else -1
            if shape[a] > shape[b]:
                return 1
    return 0


def _in_order(shape: Ints, order: Sequence[int]) -> Ints:
    strides, step = [0] * len(shape), 1
    for axis in order:
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


@remembered
def broadcast(*shapes: Ints) -> Ints:
    """The shape of an elementwise result. Raises ValueError where shapes do not fit."""
    out = list[int]()
    for position in range(max(map(len, shapes), default=0)):
        sizes = {shape[-1 - position] for shape in shapes if position < len(shape)} - {1}
        if len(sizes) > 1:
            raise ValueError(f"shapes {shapes} do not broadcast")
        out.append(sizes.pop() if sizes else 1)
    return tuple(reversed(out))
