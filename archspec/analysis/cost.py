"""What operations cost: FLOPs of products by two conventions, and work on single elements beside them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from archspec.analysis.pairs import pairs
from archspec.analysis.sizes import Sizes
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import NumError
from archspec.dims.poly import Size
from archspec.errors import ArchspecError, Diagnostic
from archspec.ir.graph import Apply
from archspec.ir.op import Op
from archspec.ir.ops.attention import Attention
from archspec.ir.types import ShapeError, TensorType

CLASSES = {
    "linear": "linear",
    "conv": "conv",
    "conv_transpose": "conv",
    "attention": "attention",
    "einsum": "matmul",
    "matmul": "matmul",
}


class Cost(Struct, frozen=True):
    """FLOPs of products, 2 per multiply-add, biases not counted; and operations on single elements.

    `full` counts every pair of query and key, `exact` those that the mask lets through (None: not known).
    """

    full: Size = 0
    exact: Size | None = 0
    elementwise: Size = 0

    def __add__(self, other: Cost) -> Cost:
        exact = None if self.exact is None or other.exact is None else poly.add(self.exact, other.exact)
        return Cost(poly.add(self.full, other.full), exact, poly.add(self.elementwise, other.elementwise))

    def each(self, change: Callable[[Size], Size]) -> Cost:
        exact = None if self.exact is None else change(self.exact)
        return Cost(change(self.full), exact, change(self.elementwise))

    def times(self, count: Size) -> Cost:
        return self if count == 1 else self.each(lambda size: poly.mul(size, count))

    @property
    def nearest(self) -> Size:
        """`exact`, or `full` where it is not known which pairs a mask lets through."""
        return self.full if self.exact is None else self.exact

    @property
    def products(self) -> Cost:
        """Without the work on single elements."""
        return Cost(self.full, self.exact)


NOTHING = Cost()


class Priced(Struct, frozen=True):
    """An operation at given sizes: what it costs forward, and what its gradients cost.

    `rest` is the part of `forward` that comes after all that is kept for the gradients; `notes` were assumed.
    """

    kind: str
    forward: Cost
    backward: Cost
    rest: Cost
    notes: tuple[str, ...] = ()


def priced(node: Apply, sizes: Sizes, needed: tuple[bool, ...]) -> Priced:
    """The price of `node`; `needed` says whose gradients are computed.

    Raises ArchspecError A002 where the operation does not exist at these sizes.
    """
    types = [None if x is None else sizes.type(x.type) for x in node.inputs]
    try:
        if isinstance(node.op, Attention):
            return _attention(node.op, types, sizes, needed)
        forward, back = node.op.flops(*types), node.op.backward_flops(needed, *types)
        full, gradients = forward.size, back.size if any(needed) else 0
        cost = Cost(full, full, node.op.elementwise(*types).size)
    except (ShapeError, NumError) as error:
        raise ArchspecError(Diagnostic("A002", f"at these sizes: {error}", node.span)) from None
    kind = CLASSES[node.op.name] if node.op.work == "product" else "elementwise"
    rest = Cost(full, full) if _keeps_operands(node.op) else NOTHING
    return Priced(kind, cost, Cost(gradients, gradients), rest)


def _keeps_operands(op: Op) -> bool:
    """Whether all that is kept for the gradients is there before the operation runs."""
    return op.work == "product"


def _attention(
    op: Attention, types: list[TensorType | None], sizes: Sizes, needed: tuple[bool, ...]
) -> Priced:
    """By the cost of one pair: that of a single query and a single key."""
    q, k, v = (x for x in types[:3] if x is not None)
    queries, keys = q.shape[2].size, k.shape[2].size
    one = [_cut(x) for x in (q, k, v)]
    found = pairs(op, queries, keys, sizes.size(op.start))
    forward, back = op.flops(*one).size, op.backward_flops(needed, *one).size if any(needed) else 0
    weighting = poly.mul(2, poly.mul(n.product(q.shape[:2]).size, v.shape[3].size))
    elementwise = op.elementwise(q, k, v, *types[3:]).size

    def cost(pair: Size, elements: Size = 0) -> Cost:
        full = poly.mul(pair, poly.mul(queries, keys))
        half = poly.divmod_(pair, 2)[0]
        return Cost(full, None if found.twice is None else poly.mul(half, found.twice), elements)

    return Priced("attention", cost(forward, elementwise), cost(back), cost(weighting), found.notes)


def _cut(x: TensorType) -> TensorType:
    return x.with_shape(*x.shape[:2], n.num(1), x.shape[3])
