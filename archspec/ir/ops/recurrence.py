"""What runs along an axis, one element after another."""

from __future__ import annotations

from typing import ClassVar

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.op import Mixed, Op
from archspec.ir.types import TensorType, axis_of, broadcast, is_float, promote, require, same_size


class Scan(Op, frozen=True):
    """The linear recurrence h_t = a_t * h_(t-1) + b_t along `axis`, elementwise: all h, and the last of them.

    a and b broadcast to [.., S, ..], which the first result has; `first`, and the second result, lack the
    axis. `first` is h before the first step: 0 where it is absent.
    """

    work: ClassVar = "elementwise"
    axis: int

    def infer(self, a: TensorType, b: TensorType, first: TensorType | None = None) -> tuple[TensorType, ...]:
        given = [x for x in (a, b, first) if x is not None]
        floats = all(is_float(x.dtype) for x in given)
        require(floats, "T007", f"scan takes floats, not {' and '.join(x.dtype for x in given)}")
        all_ = TensorType(promote(*(x.dtype for x in given)), broadcast(a.shape, b.shape))
        axis = axis_of(all_, self.axis)
        last = all_.with_shape(*all_.shape[:axis], *all_.shape[axis + 1 :])
        if first is not None:
            require(first.rank == last.rank, "T005", f"a scan to {all_} starts from {last}, not from {first}")
            for size, wanted in zip(first.shape, last.shape, strict=True):
                same_size(size, wanted, "scan: what it starts from")
        return all_, last

    def mixes(self, a: TensorType, b: TensorType, first: TensorType | None = None) -> Mixed:
        rank = max(a.rank, b.rank)
        axis = self.axis % rank - rank
        return tuple((axis,) if -axis <= x.rank else () for x in (a, b))

    def elementwise(self, a: TensorType, b: TensorType, first: TensorType | None = None) -> Num:
        """A product and a sum per element."""
        return 2 * n.product(self.infer(a, b, first)[0].shape)
