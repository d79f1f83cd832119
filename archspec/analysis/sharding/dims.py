"""Which axes are one dimension: they are split together, or not at all.

Every axis of every value is a term. Axes that must be cut alike are one class (union-find); an axis may be
the sum of others (concat, split: fused projections) or their product (reshape: heads times width). What TP,
EP and SP cut are classes: heads, features of an MLP, the vocabulary. Compare GSPMD's propagation (Xu et al.
2021, arXiv:2105.04663, section 3.5), which starts from hand-placed annotations; here no annotation is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archspec.dims import num as n
from archspec.dims.num import Num


@dataclass(slots=True)
class Dims:
    """The axes of one graph. An axis is its index in `sizes`."""

    sizes: list[Num] = field(default_factory=list[Num])
    above: list[int] = field(default_factory=list[int])
    sums: dict[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    blocks: dict[int, str] = field(default_factory=dict[int, str])
    groups: list[tuple[int, tuple[int, ...]]] = field(default_factory=list[tuple[int, tuple[int, ...]]])
    links: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def fresh(self, size: Num) -> int:
        self.sizes.append(size)
        self.above.append(len(self.above))
        return len(self.above) - 1

    def find(self, axis: int) -> int:
        """The class of an axis, by its representative."""
        while self.above[axis] != axis:
            self.above[axis] = self.above[self.above[axis]]
            axis = self.above[axis]
        return axis

    def unite(self, a: int, b: int) -> None:
        """Two axes are cut alike."""
        a, b = self.find(a), self.find(b)
        if a == b:
            return
        self.above[b] = a
        reason = self.blocks.pop(b, None)
        if reason is not None:
            self.blocks.setdefault(a, reason)
        parts = self.sums.pop(b, None)
        if parts is not None:
            self.total(a, parts)

    def block(self, axis: int, reason: str) -> None:
        """An axis that no device can hold a part of: why."""
        self.blocks.setdefault(self.find(axis), reason)

    def total(self, whole: int, parts: Sequence[int]) -> None:
        """`whole` is its parts, one after another; each of them is cut by itself."""
        root = self.find(whole)
        known = self.sums.get(root)
        if known is None:
            self.sums[root] = tuple(parts)
        elif [self.sizes[p].value for p in known] == [self.sizes[p].value for p in parts]:
            for a, b in zip(known, parts, strict=True):
                self.unite(a, b)
        else:
            self.block(root, "is joined from parts in two ways")

    def group(self, whole: int, factors: Sequence[int]) -> None:
        """`whole` is the product of its factors, the first of which counts slowest."""
        if len(factors) == 1:
            self.unite(whole, factors[0])
        else:
            self.groups.append((whole, tuple(factors)))

    def link(self, many: int, few: int) -> None:
        """Query heads and the key heads they share: few follow many."""
        self.links.append((many, few))

    def leaves(self, axis: int) -> frozenset[int]:
        """The classes that an axis is made of: itself, or those of its parts."""
        return frozenset(self._leaves(axis, ()))

    def _leaves(self, axis: int, seen: tuple[int, ...]) -> Iterator[int]:
        root = self.find(axis)
        if root not in self.sums or root in seen:
            yield root
            return
        for part in self.sums[root]:
            yield from self._leaves(part, (*seen, root))

    def settle(self) -> None:
        """Decides which factor of each product carries its cut, and spreads what is blocked to the parts."""
        for whole, factors in self.groups:
            self._carry(whole, factors)
        for root in [root for root in self.sums if root in self.blocks]:
            for leaf in self.leaves(root):
                self.block(leaf, self.blocks[root])

    def _carry(self, whole: int, factors: tuple[int, ...]) -> None:
        """The slowest factor that may be cut; the others stay whole."""
        free = [f for f in factors if self.find(f) not in self.blocks and self.sizes[f].value != 1]
        known = [f for f in free if self.sizes[f].static]
        carrier = (known or free or factors)[0]
        if self.find(whole) in self.sums:
            self.block(whole, "is joined from parts and reshaped")
        for factor in factors:
            if factor != carrier:
                self.block(factor, "is no outermost part of what it is reshaped to")
        self.unite(carrier, whole)


def aligned(before: Sequence[Num], after: Sequence[Num]) -> Iterator[tuple[list[int], list[int]]]:
    """Runs of axes of two shapes with one product, of one element count in all, without axes of size 1."""
    left = [i for i, size in enumerate(before) if size.value != 1]
    right = [i for i, size in enumerate(after) if size.value != 1]
    i = j = 0
    while i < len(left) and j < len(right):
        a, b, end_a, end_b = _run(before, after, left[i:], right[j:])
        yield a, b
        i, j = i + end_a, j + end_b


def _run(
    before: Sequence[Num], after: Sequence[Num], left: list[int], right: list[int]
) -> tuple[list[int], list[int], int, int]:
    """The shortest heads of two lists of axes whose sizes multiply to the same."""
    products = {_key(before, left[: i + 1]): i + 1 for i in reversed(range(len(left)))}
    for j in range(len(right)):
        i = products.get(_key(after, right[: j + 1]))
        if i is not None:
            return left[:i], right[: j + 1], i, j + 1
    return left, right, len(left), len(right)


def _key(shape: Sequence[Num], axes: Sequence[int]) -> object:
    return n.product(tuple(shape[i] for i in axes)).value
