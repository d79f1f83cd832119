"""How large each axis is on one device."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.analysis.sharding.dims import Dims
from archspec.analysis.sharding.errors import LayoutError
from archspec.analysis.sharding.families import Families, Family
from archspec.analysis.sharding.tensor import Tensor
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num
from archspec.errors import Collector
from archspec.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Cut:
    """A division of every class: by `parts[root]`, or not at all. A part that is not full is padded."""

    dims: Dims
    parts: dict[int, int]

    def is_cut(self, axis: int) -> bool:
        """Whether a device holds only a part of it."""
        return any(self.parts.get(leaf, 1) > 1 for leaf in self.dims.leaves(axis))

    def holds_part(self, x: Tensor) -> bool:
        return any(self.is_cut(axis) for axis in x.axes)

    def size(self, axis: int) -> Num:
        """The size of an axis on one device; one that is not cut keeps its writing."""
        if not self.is_cut(axis):
            return self.dims.sizes[axis]
        pieces = self.dims.sums.get(self.dims.find(axis))
        if pieces is not None:
            return n.num(sum((self.size(piece) for piece in pieces), n.num(0)).value)
        return _part(self.dims.sizes[axis], self.parts[self.dims.find(axis)])

    def type(self, x: Tensor) -> TensorType:
        """The type of a value on one device."""
        return x.type.with_shape(*map(self.size, x.axes))


def _part(size: Num, parts: int) -> Num:
    if size.static:
        return n.num(-(-int(size) // parts))
    return n.num(poly.divmod_(size.size, parts)[0])


def cut(dims: Dims, found: Families, tp: int) -> Cut:
    """Every family in `tp` parts; key heads fewer than `tp` are held by several devices each.

    Raises LayoutError: G001 where `tp` does not divide a size, G002 where it fits no key heads, G003 where
    there is nothing to cut.
    """
    parts: dict[int, int] = {}
    collector = Collector()
    common = math.gcd(*(family.unit for family in found.cut if family.required and not family.padded))
    for family in found.cut if tp > 1 else ():
        if not fits(family, tp) and not family.required:
            continue
        parts[family.root] = tp
        _check(family, tp, common, collector)
        for root, size, unit in family.shared:
            parts[root] = tp if unit % tp == 0 else unit
            if unit % tp and tp % unit:
                problem = (
                    f"tp {tp} neither divides the {size.described()} key heads nor is a multiple of them"
                )
                collector.add("G002", problem, hint=nearest(common, tp, "tp", (unit,)))
    if tp > 1 and not found.cut:
        reasons = "; ".join(f"{w.weight} {w.size.described()} {w.reason}" for w in found.whole[:3])
        collector.add("G003", f"tp {tp} has nothing to cut: {reasons or 'there are no weights'}")
    collector.raise_if_any(LayoutError)
    return Cut(dims, parts)


def _check(family: Family, tp: int, common: int, collector: Collector) -> None:
    """`common` divides all that must be cut: the hint names what fits everywhere."""
    if not fits(family, tp):
        size = family.size.described()
        collector.add("G001", f"tp {tp} does not divide {size}", hint=nearest(common, tp, "tp"))


def fits(family: Family, tp: int) -> bool:
    """Whether `tp` devices can share the main dimension of a family."""
    return family.padded or family.unit % tp == 0


def nearest(unit: int, wanted: int, what: str, shared: tuple[int, ...] = ()) -> str:
    """`tp 4 or 8 would do`: the closest numbers around that divide `unit` and agree with `shared`."""
    fit = [d for d in range(1, unit + 1) if unit % d == 0 and all(s % d == 0 or d % s == 0 for s in shared)]
    below = [d for d in fit if d < wanted][-1:]
    above = [d for d in fit if d > wanted][:1]
    return f"{what} {' or '.join(map(str, below + above))} would do"
