"""`rearrange` and `concat`: the same elements in another arrangement."""

from __future__ import annotations

import re
from typing import ClassVar

from msgspec import field

from archspec.components.base import Component, Place, Problem
from archspec.components.slots import ExtentTable, Integer, Pattern, Tensor
from archspec.dims import num as n
from archspec.dims.num import Num, NumError
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.ops.shape import Concat, Permute, Reshape

MAX_PATTERN = 200
_ATOM = re.compile(r"\(([^()]*)\)|(\w+)")


class Rearrange(Component, frozen=True):
    """Axes split, moved and merged by name, as in `b c h w -> b (h w) c` (Rogozhnikov 2022).

    `sizes` gives those that the operand does not: `b (h w) c -> b c h w` needs h or w.
    """

    words: ClassVar = ("rearrange",)
    pattern: Pattern
    sizes: ExtentTable | None = None

    def lower(self, at: Place, *inputs: Handle) -> Results:
        return (rearrange(at.builder, inputs[0], self.pattern, self.sizes or {}, at.name),)


def rearrange(b: Builder, x: Handle, pattern: str, sizes: dict[str, Num], name: str) -> Handle:
    """Reshape, permute, reshape; steps that change nothing are left out."""
    left, right = _sides(pattern)
    if len(left) != x.type.rank:
        raise Problem(
            "T009", f"'{pattern}' has {len(left)} axes on its left, the value is {x.type}", "pattern"
        )
    known = _solve(left, x, dict(sizes))
    flat = [name for group in left for name in group]
    wanted = [name for group in right for name in group]
    if sorted(flat) != sorted(wanted) or len(set(flat)) != len(flat):
        raise Problem("T009", f"the sides of '{pattern}' do not name the same axes once each", "pattern")
    if any(len(g) != 1 for g in left):
        x = b.apply(Reshape(tuple(known[a] for a in flat)), x, name=name)
    if flat != wanted:
        x = b.apply(Permute(tuple(flat.index(a) for a in wanted)), x, name=name)
    if any(len(g) != 1 for g in right):
        merged = tuple(n.product(tuple(known[a] for a in group)) for group in right)
        x = b.apply(Reshape(merged), x, name=name)
    return x


def _sides(pattern: str) -> tuple[list[list[str]], list[list[str]]]:
    if len(pattern) > MAX_PATTERN:
        raise Problem(
            "T009", f"a pattern of {len(pattern):,} characters; at most {MAX_PATTERN} are read", "pattern"
        )
    left, arrow, right = pattern.partition("->")
    for side in (left, right):
        if not arrow or _ATOM.sub("", side).strip():
            raise Problem(
                "T009", f"'{pattern}' is not a pattern", "pattern", "write it like 'b c h w -> b (h w) c'"
            )
    return _groups(left), _groups(right)


def _groups(side: str) -> list[list[str]]:
    return [m.group(1).split() if m.group(1) is not None else [m.group(2)] for m in _ATOM.finditer(side)]


def _solve(left: list[list[str]], x: Handle, known: dict[str, Num]) -> dict[str, Num]:
    """Sizes of all names: given, or what an axis leaves for its one unknown name."""
    for group, size in zip(left, x.type.shape, strict=True):
        unknown = [name for name in group if name not in known]
        rest = n.product(tuple(known[name] for name in group if name in known))
        if len(unknown) > 1:
            raise Problem(
                "T009",
                f"the sizes of {' and '.join(unknown)} are not known",
                "sizes",
                "give all but one under 'sizes'",
            )
        if unknown:
            known[unknown[0]] = _quotient(size, rest)
    return known


def _quotient(size: Num, by: Num) -> Num:
    try:
        if int(size % by):
            raise Problem("T008", f"{size.described()} does not divide by {by.described()}", "sizes")
    except NumError:
        pass
    return size // by


class ConcatWith(Component, frozen=True):
    """x and then `with`, joined along `axis`; `with: {pop: name}` takes what was pushed."""

    words: ClassVar = ("concat",)
    other: Tensor = field(name="with")
    axis: Integer = n.num(-1)

    def lower(self, at: Place, *inputs: Handle) -> Results:
        return (at.builder.apply(Concat(int(self.axis)), inputs[0], self.other, name=at.value_name),)
