"""Operations that move elements and compute none."""

from __future__ import annotations

from typing import ClassVar

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.op import Mixed, Op
from archspec.ir.types import INTEGERS, Shape, TensorType, axis_of, broadcast, require, same_size


class Reshape(Op, frozen=True):
    """The same elements in row-major order under another shape."""

    work: ClassVar = "movement"
    shape: Shape

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        count, wanted = n.product(x.shape), n.product(self.shape)
        same_size(count, wanted, f"reshape of {x} to {len(self.shape)} axes: element count")
        return (x.with_shape(*self.shape),)


class Permute(Op, frozen=True):
    """Axes in another order: result axis i is operand axis `axes[i]`."""

    work: ClassVar = "movement"
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(sorted(self.axes) == list(range(x.rank)), "T002", f"axes {list(self.axes)} do not order {x}")
        return (x.with_shape(*(x.shape[a] for a in self.axes)),)


class Expand(Op, frozen=True):
    """Broadcast to `shape` without copying."""

    work: ClassVar = "movement"
    shape: Shape

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        out = broadcast(x.shape, self.shape)
        require(len(out) == len(self.shape), "T003", f"{x} has more axes than it is expanded to")
        return (x.with_shape(*self.shape),)


class Slice(Op, frozen=True):
    """Elements `start` up to `stop` (exclusive, null = the end) along `axis`; both may count from the end."""

    work: ClassVar = "movement"
    axis: int
    start: Num
    stop: Num | None = None

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        size = x.shape[axis]
        first = self._from_start(self.start, size)
        last = size if self.stop is None else self._from_start(self.stop, size)
        for low, high in ((n.num(0), first), (first, last), (last, size)):
            inside = not (low.static and high.static) or int(low) <= int(high)
            require(
                inside,
                "T004",
                f"slice {first}:{last} does not lie in {size.described()} elements, or is backwards",
            )
        return (x.with_shape(*x.shape[:axis], last - first, *x.shape[axis + 1 :]),)

    @staticmethod
    def _from_start(bound: Num, size: Num) -> Num:
        return size + bound if bound.static and int(bound) < 0 else bound

    def mixes(self, x: TensorType) -> Mixed:
        """The last element is that of a longer value, too; others are not."""
        size = x.shape[self.axis]
        stop = size if self.stop is None else self.stop
        first, last = self._from_start(self.start, size), self._from_start(stop, size)
        is_last = n.same(last, size) and (n.same(first, size - 1) or n.same(first, n.num(0)))
        return (() if is_last else (self.axis,),)


class Concat(Op, frozen=True):
    """Operands one after another along `axis`; all other sizes equal."""

    work: ClassVar = "movement"
    axis: int

    def infer(self, *parts: TensorType) -> tuple[TensorType, ...]:
        require(bool(parts), "T013", "concat takes at least one operand")
        axis, first = axis_of(parts[0], self.axis), parts[0]
        total = first.shape[axis]
        for part in parts[1:]:
            fits = part.rank == first.rank
            require(fits, "T005", f"concat of {first} and {part}: different numbers of axes")
            require(part.dtype == first.dtype, "T007", f"concat of {first} and {part}", "cast one of them")
            for i, (a, b) in enumerate(zip(first.shape, part.shape, strict=True)):
                if i != axis:
                    same_size(a, b, f"concat along axis {axis}, axis {i}")
            total = total + part.shape[axis]
        return (first.with_shape(*first.shape[:axis], total, *first.shape[axis + 1 :]),)

    def mixes(self, *parts: TensorType) -> Mixed:
        return ((self.axis,),) * len(parts) if len(parts) > 1 else ()


class Split(Op, frozen=True):
    """Consecutive pieces of the given sizes along `axis`; they add up to the whole."""

    work: ClassVar = "movement"
    axis: int
    sizes: tuple[Num, ...]

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        total = n.num(0)
        for size in self.sizes:
            total = total + size
        same_size(total, x.shape[axis], f"split of axis {axis}: the pieces' total")
        return tuple(x.with_shape(*x.shape[:axis], s, *x.shape[axis + 1 :]) for s in self.sizes)

    def mixes(self, x: TensorType) -> Mixed:
        return ((self.axis,),) if len(self.sizes) > 1 else ()


class Pad(Op, frozen=True):
    """`before` and `after` copies of `value` along `axis`."""

    work: ClassVar = "movement"
    axis: int
    before: Num
    after: Num
    value: Num

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        size = x.shape[axis] + self.before + self.after
        return (x.with_shape(*x.shape[:axis], size, *x.shape[axis + 1 :]),)

    def mixes(self, x: TensorType) -> Mixed:
        return ((self.axis,),)


class Gather(Op, frozen=True):
    """Whole slices of `x` along `axis`, picked by integers: table lookup when `axis` is 0.

    x [A…, N, C…], index [I…] -> [A…, I…, C…].
    """

    work: ClassVar = "movement"
    axis: int = 0

    def infer(self, x: TensorType, index: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        require(index.dtype in INTEGERS, "T006", f"an index is integer, not {index.dtype}")
        return (x.with_shape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]),)

    def mixes(self, x: TensorType, index: TensorType) -> Mixed:
        return ((self.axis,),)


class Take(Op, frozen=True):
    """One element per index along `axis`: out[.., i, ..] = x[.., index[.., i, ..], ..]; other sizes equal."""

    work: ClassVar = "movement"
    axis: int

    def infer(self, x: TensorType, index: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        require(index.dtype in INTEGERS, "T006", f"an index is integer, not {index.dtype}")
        require(index.rank == x.rank, "T005", f"take of {x} by {index}: different numbers of axes")
        for i, (a, b) in enumerate(zip(x.shape, index.shape, strict=True)):
            if i != axis:
                same_size(a, b, f"take along axis {axis}, axis {i}")
        return (x.with_shape(*index.shape),)

    def mixes(self, x: TensorType, index: TensorType) -> Mixed:
        return ((self.axis,),)


class Scatter(Op, frozen=True):
    """Zeros, `size` of them along `axis`, but out[.., index[.., i, ..], ..] = x[.., i, ..]: `take` undone.

    What meets in one place is summed.
    """

    work: ClassVar = "reduction"
    axis: int
    size: Num

    def infer(self, x: TensorType, index: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        require(index.dtype in INTEGERS, "T006", f"an index is integer, not {index.dtype}")
        require(x.dtype != "bool", "T007", "scatter sums, so it does not take bool", "cast it")
        require(index.rank == x.rank, "T005", f"scatter of {x} by {index}: different numbers of axes")
        for i, (a, b) in enumerate(zip(x.shape, index.shape, strict=True)):
            same_size(a, b, f"scatter, axis {i} of the index")
        return (x.with_shape(*x.shape[:axis], self.size, *x.shape[axis + 1 :]),)

    def mixes(self, x: TensorType, index: TensorType) -> Mixed:
        return (self.axis,), (self.axis,)


class Flip(Op, frozen=True):
    """Elements in reverse order along `axis`."""

    work: ClassVar = "movement"
    axis: int

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis_of(x, self.axis)
        return (x,)

    def mixes(self, x: TensorType) -> Mixed:
        return ((self.axis,),)


class Roll(Op, frozen=True):
    """Elements moved `shift` places along `axis`, around the end."""

    work: ClassVar = "movement"
    axis: int
    shift: Num

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        axis_of(x, self.axis)
        return (x,)

    def mixes(self, x: TensorType) -> Mixed:
        return ((self.axis,),)
