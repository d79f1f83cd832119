"""Which dimensions of a model tensor parallelism cuts, found once for all numbers of devices.

A dimension is cut where weights make it (column-parallel) and weights sum over it (row-parallel), so that a
region begins and ends with whole values: MLP features, heads, channels of a mixer. Vocabularies are cut, too:
rows of tables that tokens look up, and heads of the same size. Where two dimensions meet in one weight, the
one that cuts more parameters is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from archspec.analysis.sharding.dims import Dims
from archspec.analysis.sharding.tensor import Site, Tensor
from archspec.analysis.sharding.trace import Owned, Trace
from archspec.dims.num import Num
from archspec.ir.ops.contract import Conv, ConvTranspose, Einsum, Linear, Matmul
from archspec.ir.ops.shape import Gather

WEIGHTED = (Linear, Matmul, Einsum, Conv, ConvTranspose, Gather)


class Family(Struct, frozen=True):
    """A dimension that is cut: its class, its size, and `unit`, which equal parts must divide.

    `shared`: classes of key heads, each with its own unit, that follow these query heads. `padded`: any
    number of parts, the last ones filled up, as Megatron pads vocabularies. `required`: parts that do not fit
    are an error; a dimension of convolutions alone stays whole instead. `weight`: one that has it.
    """

    root: int
    size: Num
    unit: int
    padded: bool
    required: bool
    shared: tuple[tuple[int, Num, int], ...]
    parameters: int
    weight: str


class Whole(Struct, frozen=True):
    """A dimension of a weight that stays whole on every device: one weight that has it, its size, and why."""

    weight: str
    size: Num
    reason: str


class Families(Struct, frozen=True):
    """What is cut, largest first, and what stays whole."""

    cut: tuple[Family, ...]
    whole: tuple[Whole, ...]


def families(trace: Trace) -> Families:
    """The dimensions of a traced model that tensor parallelism cuts."""
    search = _Search(trace)
    chosen = search.chosen()
    cut = tuple(search.family(root) for root in chosen)
    taken = set(chosen) | {root for family in cut for root, _, _ in family.shared}
    return Families(cut, tuple(search.whole(root, chosen) for root in search.volume if root not in taken))


@dataclass(slots=True)
class _Search:
    trace: Trace
    volume: dict[int, int] = field(default_factory=dict[int, int])  # parameters on a class
    first: dict[int, str] = field(default_factory=dict[int, str])  # a weight that has it
    free: set[int] = field(default_factory=set[int])  # made by a weight
    summed: set[int] = field(default_factory=set[int])  # summed over by a weight
    linear: set[int] = field(default_factory=set[int])  # on a weight of something else than a convolution
    tokens: set[int] = field(default_factory=set[int])  # rows of tables that tokens look up
    clashes: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    sizes: dict[int, list[Num]] = field(default_factory=dict[int, list[Num]])
    followers: dict[int, list[int]] = field(default_factory=dict[int, list[int]])

    @property
    def dims(self) -> Dims:
        return self.trace.dims

    def __post_init__(self) -> None:
        for axis, size in enumerate(self.dims.sizes):
            self.sizes.setdefault(self.dims.find(axis), []).append(size)
        for site in self.trace.sites:
            self._site(site)
        for owned in self.trace.params.values():
            self._weigh(owned)
        for many, few in self.dims.links:
            self._follow(self.dims.find(many), self.dims.find(few))

    def _site(self, site: Site) -> None:
        summed = {leaf for axis in site.contracted for leaf in self.dims.leaves(axis)}
        for tensor in site.tensors:
            self._axes(tensor)
        others = {leaf for x in site.tensors for axis in x.axes for leaf in self.dims.leaves(axis)} - summed
        for leaf in summed:
            self._clash(leaf, others)
        for weight in (x for x in site.inputs if x is not None and x.constant):
            if isinstance(site.op, WEIGHTED) and weight.float_:
                leaves = {leaf for axis in weight.axes for leaf in self.dims.leaves(axis)}
                self.summed |= leaves & summed
                self.free |= leaves - summed
                self.linear |= leaves if not isinstance(site.op, Conv | ConvTranspose) else set()
        if isinstance(site.op, Gather):
            self.tokens |= summed

    def _axes(self, tensor: Tensor) -> None:
        """Two dimensions of one tensor are not both cut; one that is there twice is not cut at all."""
        leaves = [self.dims.leaves(axis) for axis in tensor.axes]
        for i, here in enumerate(leaves):
            others = set[int]().union(*leaves[:i], *leaves[i + 1 :])
            for leaf in here:
                self._clash(leaf, others)
                if leaf in others:
                    self.dims.block(leaf, f"is two axes of '{tensor.name}'")

    def _clash(self, leaf: int, others: Iterable[int]) -> None:
        self.clashes.setdefault(leaf, set()).update(others)

    def _weigh(self, owned: Owned) -> None:
        count = math.prod(int(size) for size in owned.param.value.type.shape) * owned.times
        axes = owned.tensor.axes
        for leaf in {leaf for axis in axes for leaf in self.dims.leaves(axis)}:
            self.volume[leaf] = self.volume.get(leaf, 0) + count
            self.first.setdefault(leaf, owned.tensor.owner)

    def _follow(self, many: int, few: int) -> None:
        if many != few and few not in self.followers.setdefault(many, []):
            self.followers[many].append(few)

    def chosen(self) -> list[int]:
        """Classes to cut, those with most parameters first."""
        taken: list[int] = []
        for root in sorted(filter(self._fits, self.volume), key=lambda root: -self.volume[root]):
            with_it = {root, *self.followers.get(root, ())}
            if not any(self.clashes.get(r, set()) & set(self._all(taken)) for r in with_it):
                taken.append(root)
        return self._complete(taken)

    def _all(self, roots: Iterable[int]) -> Iterator[int]:
        for root in roots:
            yield root
            yield from self.followers.get(root, ())

    def _complete(self, taken: list[int]) -> list[int]:
        """A sum over parts that are joined needs all of them cut, or none."""
        for site in self.trace.sites:
            for axis in site.contracted:
                leaves = self.dims.leaves(axis)
                if leaves & set(taken) and not leaves <= set(taken):
                    for leaf in leaves:
                        self.dims.block(leaf, f"is joined in '{site.path}' to what cannot be cut")
                    return self.chosen()
        return taken

    def _fits(self, root: int) -> bool:
        if root in self.dims.blocks or any(few in self.dims.blocks for few in self.followers.get(root, ())):
            return False
        if any(few in self.summed for few in self.followers.get(root, ())):
            return False
        return self._is_vocabulary(root) or (root in self.free and root in self.summed)

    def _is_vocabulary(self, root: int) -> bool:
        if root in self.tokens:
            return True
        rows = {self.sizes[token][0].value for token in self.tokens}
        return root in self.free and root not in self.summed and self.sizes[root][0].value in rows

    def family(self, root: int) -> Family:
        size, unit = self._least(root)
        alone = len({known.value for known in self.sizes[root]}) == 1
        shared = tuple((few, *self._least(few)) for few in self.followers.get(root, ()))
        padded = alone and self._is_vocabulary(root)
        return Family(
            root, size, unit, padded, root in self.linear, shared, self.volume[root], self.first[root]
        )

    def _least(self, root: int) -> tuple[Num, int]:
        """The smallest size of a class, which names it, and what divides all its sizes."""
        known = [size for size in self.sizes[root] if size.static]
        return min(known, key=int), math.gcd(*map(int, known))

    def whole(self, root: int, chosen: Iterable[int]) -> Whole:
        """Why a dimension of a weight is not cut."""
        size = self.sizes[root][0]
        clash = self.clashes.get(root, set()) & set(self._all(chosen))
        reason = self.dims.blocks.get(root)
        if reason is None and root not in self.summed:
            reason = "no weight sums over it"
        if reason is None and root not in self.free:
            reason = "no weight makes it"
        if reason is None and clash:
            reason = f"meets {self.sizes[min(clash)][0].described()}, which is cut, in one operation"
        return Whole(self.first[root], size, reason or "its key heads cannot be cut")
