"""What one microbatch costs on one device: seconds of a layer and of either end, and what it keeps.

Products take the longer of their FLOPs at the speed of products and of their bytes at that of memory;
everything else takes its bytes, each operation by itself: it reads its operands and writes its result. What
only moves a view takes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

from msgspec import Struct

from archspec.analysis.pairs import pairs
from archspec.analysis.routing import routing
from archspec.analysis.sharding.activations import activations
from archspec.analysis.sharding.collective import WIDTHS
from archspec.analysis.sharding.rewrite import resized
from archspec.analysis.sharding.shard import Sharded
from archspec.analysis.sharding.tensor import Site, Tensor
from archspec.analysis.sizes import PAST, Sizes, number
from archspec.analysis.speed import Speed
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num
from archspec.ir.op import Op
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.elementwise import Dropout, StopGradient
from archspec.ir.ops.loss import CrossEntropy
from archspec.ir.ops.shape import Expand, Permute, Reshape, Slice, Split
from archspec.ir.ops.state import Append, Hold
from archspec.ir.types import TensorType

# What is kept for a backward pass: the region that reads it first, its name, its bytes.
Held: TypeAlias = tuple[tuple[str, str, Num], ...]
VIEWS = (Reshape, Permute, Slice, Split, Expand, StopGradient, Append, Hold)
# A backward pass reads a gradient beside what the forward pass read, and writes one.
BACKWARD_BYTES = 1.5
# A fused backward pass has five products for two forward: scores again (Dao 2023, arXiv:2307.08691, 3.1.2).
FUSED_BACKWARD = 5 / 4


class Load(Struct, frozen=True):
    """One microbatch. `flops` of products forward, as a model counts them, by all devices of tp together.

    `forward`, `backward`, `core` (attention's scores, of `forward`): seconds of computing. `sent_forward`,
    `sent_backward`: seconds of collectives inside a stage. `kept`: bytes until the backward pass, `again`
    bytes while a layer runs again. `fixed`: seconds once a step.
    """

    flops: float = 0.0
    forward: float = 0.0
    backward: float = 0.0
    core: float = 0.0
    sent_forward: float = 0.0
    sent_backward: float = 0.0
    kept: float = 0.0
    again: float = 0.0
    fixed: float = 0.0

    def plus(self, other: Load) -> Load:
        return Load(*(a + b for a, b in zip(self.fields, other.fields, strict=True)))

    def times(self, factor: float) -> Load:
        return Load(*(a * factor for a in self.fields))

    @property
    def fields(self) -> tuple[float, ...]:
        return (
            self.flops, self.forward, self.backward, self.core,
            self.sent_forward, self.sent_backward, self.kept, self.again, self.fixed,
        )  # fmt: skip


def at_sizes(sharded: Sharded, given: Mapping[str, int]) -> Sizes:
    """The sizes, nothing in a cache; experts get even shares of the rows that are routed to them."""
    sizes = Sizes({**given, PAST: 0})
    shares = dict[str, int]()
    for place, node in sharded.trace.experts:
        found = routing(node, place.region, sizes)
        rows = number(found.rows, "the rows of an expert") * int(found.chosen)
        shares[node.rows or ""] = -(-rows // int(node.count))
    return Sizes({**sizes.values, **shares})


@dataclass(slots=True)
class Memo:
    """What layouts of one model have in common, at sizes that do not change: all but the batch."""

    sizes: Sizes = field(default_factory=lambda: Sizes({PAST: 0}))
    types: dict[tuple[int, Tensor], TensorType] = field(default_factory=dict[tuple[int, Tensor], TensorType])
    kept: dict[tuple[object, ...], Held] = field(default_factory=dict[tuple[object, ...], Held])
    products: dict[tuple[object, ...], tuple[int, int]] = field(
        default_factory=dict[tuple[object, ...], tuple[int, int]]
    )

    def flops(
        self, op: Op, learned: tuple[bool, ...], types: tuple[TensorType | None, ...]
    ) -> tuple[int, int]:
        """FLOPs forward and backward; layers that are alike ask the same again."""
        key = (op, learned, types)
        if key not in self.products:
            forward, backward = op.flops(*types), op.backward_flops(learned, *types)
            self.products[key] = number(forward.size, "FLOPs"), number(backward.size, "FLOPs")
        return self.products[key]

    def type(self, sharded: Sharded, x: Tensor) -> TensorType:
        """The type on one device, with the batch as a symbol."""
        key = (sharded.tp, x)
        if key not in self.types:
            self.types[key] = self.sizes.type(sharded.cut.type(x))
        return self.types[key]

    def held(self, sharded: Sharded, sp: bool, recompute: str, width: int) -> Held:
        """Bytes that `activations` says are kept, each with its region and its name."""
        key = (sharded.tp, sharded.ep, sp, recompute, width)
        if key not in self.kept:
            found = activations(sharded, sp=sp, recompute=recompute, width=width)
            self.kept[key] = tuple(
                (k.path, k.value.split(" ")[0], n.num(poly.mul(self.sizes.size(k.bytes), k.times)))
                for k in found
            )
        return self.kept[key]


class Pricing(Struct, frozen=True):
    """How operations are priced. `fused`: attention keeps no scores. `width`: bytes of `float`."""

    sharded: Sharded
    sizes: Sizes
    memo: Memo
    speed: Speed
    sp: bool = False
    fused: bool = True
    width: int = 2

    def sites(self) -> Iterator[tuple[Site, Load]]:
        """Each operation that learns something, in all its runs."""
        for site in self.sharded.trace.sites:
            if any(x.learned for x in site.outputs) and not isinstance(site.op, VIEWS):
                yield site, self.load(site).times(site.times)

    def type(self, x: Tensor) -> TensorType:
        """The type of a value on one device, in numbers."""
        type_ = self.memo.type(self.sharded, x)
        shape = (number(self.sizes.size(size), f"the shape of '{x.name}'") for size in type_.shape)
        return type_.with_shape(*map(n.num, shape))

    def load(self, site: Site) -> Load:
        if site.op.work == "product":
            return self._attention(site) if isinstance(site.op, Attention) else self._product(site)
        seconds = self._bytes(site) / self.speed.memory
        return Load(forward=seconds, backward=seconds * BACKWARD_BYTES)

    def _product(self, site: Site, share: float = 1.0, back: float = 1.0, moved: float = 0.0) -> Load:
        """`share` of the FLOPs is computed; `back`: products of a backward pass over those of a plain one."""
        types = [None if x is None else self.type(x) for x in site.inputs]
        op = resized(site.op, [x for x in types if x is not None], [self.type(x) for x in site.outputs])
        learned = tuple(x is not None and x.learned for x in site.inputs)
        once = self.memo.flops(op, learned, tuple(types))
        flops, gradients = once[0] * share, once[1] * share * back
        bytes_ = sum(self._size(x, spread=False) for x in site.tensors)
        memory, times = self.speed.memory, gradients / flops if flops else 0.0
        forward = max(flops / self.speed.products, bytes_ / memory) + moved / memory
        backward = max(gradients / self.speed.products, bytes_ * times / memory)
        split = self.sharded.tp if any(map(self.sharded.cut.holds_part, site.tensors)) else 1
        return Load(flops * split, forward, backward + moved * BACKWARD_BYTES / memory)

    def _attention(self, site: Site) -> Load:
        """Fused: pairs that the mask lets through. Else all pairs, and scores go through memory.

        Scores are written, read and written by the softmax, the same by dropout with its mask, and read.
        """
        q, k = (self.type(x) for x in site.inputs[:2] if x is not None)
        assert isinstance(site.op, Attention)
        batch, heads, queries, keys = (int(s) for s in (*q.shape[:3], k.shape[2]))
        if self.fused:
            found = pairs(site.op, queries, keys, 0).twice
            share = number(found, "pairs") / (2 * queries * keys) if found is not None else 1.0
            load = self._product(site, share, FUSED_BACKWARD)
        else:
            drops = site.op.dropout.value != 0
            each = 4 * self.width + (2 * self.width + 1 if drops else 0)
            load = self._product(site, moved=float(batch * heads * queries * keys * each))
        return Load(load.flops, load.forward, load.backward, core=load.forward)

    def _bytes(self, site: Site) -> float:
        """Operands that are no weights, and results; what a loss computes it computes in fp32."""
        if isinstance(site.op, Dropout):
            size = self._size(site.outputs[0])
            return size * (2 + 1 / self.width) if site.op.p.value != 0 else 0.0
        if isinstance(site.op, CrossEntropy):
            return sum(self._size(x) * (1 + 8 / self.width) for x in site.inputs[:1] if x is not None)
        moved = (x for x in site.tensors if not x.constant)
        return sum(map(self._size, moved))

    def _size(self, x: Tensor, spread: bool = True) -> float:
        """Bytes on one device; sequence parallelism spreads the tokens of what tp leaves whole."""
        sharded = self.sharded
        size = prod(map(int, self.type(x).shape)) * WIDTHS.get(x.type.dtype, self.width)
        spread = spread and self.sp and sharded.tokens.along(x) and not sharded.cut.holds_part(x)
        return size / sharded.tp if spread else size


def total(loads: Iterable[Load]) -> Load:
    found = Load()
    for load in loads:
        found = found.plus(load)
    return found
