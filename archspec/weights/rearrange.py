"""Rules that rearrange one tensor, made into operations for its concrete shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import accumulate
from math import prod

from archspec.weights.arrays import Shape, written
from archspec.weights.ops import Op, Permute, Reshape, Transpose
from archspec.weights.rules import InterleaveRule, ReorderRule, RopeRule, WeightRules


class Misfit(ValueError):
    """A rule does not fit a shape; the message says why. Callers turn it into a diagnostic."""


Maker = Callable[[Shape], Op | None]


def rearrangements(rules: WeightRules) -> Iterator[tuple[str, str, Maker]]:
    """(kind, pattern, maker) of every rule, in the order in which they apply.

    A maker gives the operation for a shape, or None where the rule leaves such a tensor alone.
    It raises Misfit.
    """
    for pattern, rope in rules.rope.items():
        yield "rope", pattern, partial(_rope, rope)
    for pattern, reorder in rules.reorder.items():
        yield "reorder", pattern, partial(_reorder, reorder)
    for pattern, interleave in rules.interleave.items():
        yield "interleave", pattern, partial(_interleave, interleave)
    for pattern, shape in rules.reshape.items():
        yield "reshape", pattern, partial(_reshape, shape)
    for pattern in rules.transpose:
        yield "transpose", pattern, _transpose


def _rope(rule: RopeRule, shape: Shape) -> Op:
    rotary = rule.head_dim if rule.rotary_dim is None else rule.rotary_dim
    rows = rows_along(rule.axis, shape)
    if rows % rule.head_dim:
        raise Misfit(f"head_dim {rule.head_dim} does not divide axis {rule.axis} of {written(shape)}")
    if rotary % 2 or rotary > rule.head_dim:
        raise Misfit(f"rotary_dim {rotary} must be even and at most head_dim {rule.head_dim}")
    return Permute(rule.axis, rope_order(rows, rule.head_dim, rotary, rule.hub == "interleaved"))


def _reorder(rule: ReorderRule, shape: Shape) -> Op:
    rows = rows_along(rule.axis, shape)
    if sorted(rule.order) != list(range(len(rule.order))):
        raise Misfit(f"order {list(rule.order)} must hold each of 0 to {len(rule.order) - 1} once")
    sizes = chunk_sizes(rows, len(rule.order), rule.sizes)
    return Permute(rule.axis, chunk_order(rule.order, sizes))


def _interleave(rule: InterleaveRule, shape: Shape) -> Op:
    parts = (1,) * rule.parts if isinstance(rule.parts, int) else rule.parts
    rows = rows_along(rule.axis, shape)
    if rows % (rule.groups * sum(parts)):
        raise Misfit(
            f"{rule.groups} groups of {sum(parts)} do not divide axis {rule.axis} of {written(shape)}"
        )
    return Permute(rule.axis, interleave_order(rule.groups, parts, rows // (rule.groups * sum(parts))))


def _reshape(hub: tuple[int, ...], shape: Shape) -> Op:
    given, total = [size for size in hub if size != -1], prod(shape)
    if len(given) == len(hub) - 1 and prod(given) and total % prod(given) == 0:
        hub = tuple(total // prod(given) if size == -1 else size for size in hub)
    if min(hub, default=0) < 0 or prod(hub) != total:
        raise Misfit(f"{written(shape)} cannot take the shape {written(hub)}")
    return Reshape(shape, hub)


def _transpose(shape: Shape) -> Op | None:
    return Transpose() if len(shape) in (2, 3) else None


def rows_along(axis: int, shape: Shape) -> int:
    """The length of `axis`. Raises Misfit."""
    if axis >= len(shape):
        raise Misfit(f"{written(shape)} has no axis {axis}")
    return shape[axis]


def chunk_sizes(rows: int, count: int, sizes: tuple[int, ...] | None) -> tuple[int, ...]:
    """`sizes` checked, or `count` equal ones. Raises Misfit."""
    if sizes is None:
        if rows % count:
            raise Misfit(f"{rows} rows do not fall into {count} equal parts")
        return (rows // count,) * count
    if len(sizes) != count or sum(sizes) != rows:
        raise Misfit(f"sizes {list(sizes)} must be {count} numbers that add up to {rows}")
    return sizes


# Layers repeat, so a handful of orders serves a whole model.
@lru_cache(maxsize=32)
def rope_order(rows: int, head_dim: int, rotary_dim: int, interleaved: bool) -> tuple[int, ...]:
    """Our row for each hub row of [heads · head_dim], from halves to interleaved pairs or the other way."""
    half = rotary_dim // 2
    if interleaved:
        pairs = [row % 2 * half + row // 2 for row in range(rotary_dim)]
    else:
        pairs = [row % half * 2 + row // half for row in range(rotary_dim)]
    head = [*pairs, *range(rotary_dim, head_dim)]
    return tuple(start + row for start in range(0, rows, head_dim) for row in head)


@lru_cache(maxsize=32)
def chunk_order(order: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Our row for each hub row, when hub chunk i is our chunk `order[i]`."""
    starts = list(accumulate(sizes, initial=0))
    return tuple(row for chunk in order for row in range(starts[chunk], starts[chunk + 1]))


@lru_cache(maxsize=32)
def interleave_order(groups: int, parts: tuple[int, ...], width: int) -> tuple[int, ...]:
    """Our row for each hub row of [groups, sum(parts), width]; ours are parts of [groups, part, width]."""
    starts = [groups * width * start for start in accumulate(parts, initial=0)]
    return tuple(
        start + group * part * width + row
        for group in range(groups)
        for start, part in zip(starts, parts, strict=False)
        for row in range(part * width)
    )
