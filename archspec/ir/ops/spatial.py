"""Operations over positions on a grid: pooling and resampling."""

from __future__ import annotations

from typing import ClassVar

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.op import Mixed, Op
from archspec.ir.types import TensorType, require, whole


class Pool(Op, frozen=True):
    """`max` or `mean` over windows of the trailing axes: x [B, C, *spatial].

    Padding counts as absent for max, as 0 for mean. out = (size + 2 * padding - kernel) // stride + 1.
    """

    work: ClassVar = "reduction"
    fn: str
    kernel: tuple[Num, ...]
    stride: tuple[Num, ...]
    padding: tuple[Num, ...]

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(self.fn in ("max", "mean"), "T010", f"unknown pooling '{self.fn}'")
        spatial = len(self.kernel)
        require(x.rank == spatial + 2, "T005", f"pooling over {spatial} axes does not take {x}")
        fits = len(self.stride) == len(self.padding) == spatial
        require(fits, "T013", f"pooling over {spatial} axes has {spatial} strides and paddings")
        return (x.with_shape(*x.shape[:2], *(self._out(i, size) for i, size in enumerate(x.shape[2:]))),)

    def _out(self, i: int, size: Num) -> Num:
        kernel, padding = (
            whole(self.kernel[i], "pool: the kernel", 1),
            whole(self.padding[i], "pool: the padding"),
        )
        whole(self.stride[i], "pool: the stride", 1)
        fits = not size.static or whole(size, "pool: the input") + 2 * padding >= kernel
        require(fits, "T004", f"pool: a window of {kernel} does not fit {size.described()}")
        return (size + 2 * padding - self.kernel[i]) // self.stride[i] + 1

    def mixes(self, x: TensorType) -> Mixed:
        return (range(2, x.rank),)

    def elementwise(self, x: TensorType) -> Num:
        """One per element of a window."""
        return n.product(self.infer(x)[0].shape) * n.product(self.kernel)


class Resample(Op, frozen=True):
    """The grid `scale` times as fine along each trailing axis: x [B, C, *spatial]; `nearest` or `linear`."""

    work: ClassVar = "elementwise"
    scale: Num
    mode: str = "nearest"

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(self.mode in ("nearest", "linear"), "T010", f"unknown resampling '{self.mode}'")
        require(x.rank >= 3, "T005", f"resampling takes [B, C, *spatial], not {x}")
        return (x.with_shape(*x.shape[:2], *(d * self.scale for d in x.shape[2:])),)

    def mixes(self, x: TensorType) -> Mixed:
        return (range(2, x.rank),)

    def elementwise(self, x: TensorType) -> Num:
        """Nearest moves; linear weighs and sums the 2^axes neighbours of each new element."""
        each = 2 * 2 ** (x.rank - 2) - 1 if self.mode == "linear" else 0
        return each * n.product(self.infer(x)[0].shape)
