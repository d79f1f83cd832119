"""Convolutions, pooling and resampling over the trailing axes of [B, C, ...]."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from archspec.components.base import Component, Place, Problem
from archspec.components.carry import behind_the_last
from archspec.components.linear import ZEROS, fan_in_uniform
from archspec.components.slots import Count, Flag, Initial, Size, Slot
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.ops.contract import Conv as ConvOp
from archspec.ir.ops.spatial import Pool as PoolOp
from archspec.ir.ops.spatial import Resample as ResampleOp

Padding = Annotated[Num | Literal["same", "valid", "causal"], Slot("int_or_word", 0)]


class Conv(Component, frozen=True):
    """Cross-correlation: x [B, C, *sizes] -> [B, out, *sizes'].

    Parameters weight [out, C / groups, *kernel], bias [out]. `padding`: `same` (dilation * (kernel - 1) / 2
    on each side), `causal` (all of it before), `valid` (none), or a number. Along a size that streams it is
    `causal`, and decoding keeps the last dilation * (kernel - 1) inputs.
    """

    rank: ClassVar = 1
    words: ClassVar = ("conv1d",)
    out: Size
    kernel: Size
    stride: Size = n.num(1)
    padding: Padding = "valid"
    dilation: Size = n.num(1)
    groups: Size = n.num(1)
    bias: Flag = True
    init: Initial | None = None

    def lower(self, at: Place, *inputs: Handle) -> Results:
        x = inputs[0]
        if x.type.rank != self.rank + 2:
            raise Problem("T005", f"{self.words[0]} takes [B, C, {self.rank} sizes], not {x.type}", "in")
        channels = x.type.shape[1]
        for size, field in ((channels, "groups"), (self.out, "out")):
            if int(size) % int(self.groups):
                raise Problem(
                    "T008",
                    f"{size.described()} channels do not divide into {self.groups.described()} groups",
                    field,
                )

        def body(b: Builder, given: Results) -> Results:
            return (self._apply(at.inside(b, at.name), given[0], channels),)

        return at.module(self.words[0], body, *inputs)

    def _apply(self, at: Place, x: Handle, channels: Num) -> Handle:
        b = at.builder
        per_group = channels // self.groups
        fan_in = n.num(int(per_group) * int(self.kernel) ** self.rank)
        weight = b.param(
            "weight", (self.out, per_group, *(self.kernel,) * self.rank), self.init or fan_in_uniform(fan_in)
        )
        bias = (
            b.param("bias", (self.out,), ZEROS if self.init else fan_in_uniform(fan_in))
            if self.bias
            else None
        )
        every = (1,) * self.rank
        padding = [self._padding() for _ in every]
        for axis in (axis for axis in range(self.rank) if at.streams(x.type.shape[axis + 2])):
            x, padding[axis] = self._carry(at, x, axis + 2, padding[axis])
        op = ConvOp(
            tuple(self.stride for _ in every),
            tuple(padding),
            tuple(self.dilation for _ in every),
            self.groups,
        )
        return b.apply(op, x, weight, bias)

    def _carry(
        self, at: Place, x: Handle, axis: int, padding: tuple[Num, Num]
    ) -> tuple[Handle, tuple[Num, Num]]:
        """x behind its last elements of the step before, and the padding that is left."""
        reach = self.dilation * (self.kernel - 1)
        hint = "write 'padding: causal', or take 'stream' out of the spec"
        if (int(padding[0]), int(padding[1])) != (int(reach), 0):
            raise Problem("L020", f"'{at.stream}' streams, but this convolution looks ahead", "padding", hint)
        if int(self.stride) != 1:
            message = f"'{at.stream}' streams, but a stride of {self.stride.described()} skips elements of it"
            raise Problem("L020", message, "stride", "take 'stream' out of the spec")
        none = (n.num(0), n.num(0))
        return (behind_the_last(at, x, axis, reach) if int(reach) else x), none

    def _padding(self) -> tuple[Num, Num]:
        if isinstance(self.padding, Num):
            return self.padding, self.padding
        reach = self.dilation * (self.kernel - 1)
        if self.padding == "causal":
            return reach, n.num(0)
        if self.padding == "same" and int(reach) % 2:
            raise Problem(
                "T008",
                f"'same' padding needs an odd kernel, not {self.kernel.described()}",
                "padding",
                "give a number",
            )
        half = reach // 2 if self.padding == "same" else n.num(0)
        return half, half


class Conv2d(Conv, frozen=True):
    """`conv1d` over two axes: x [B, C, H, W]."""

    rank: ClassVar = 2
    words: ClassVar = ("conv2d",)


class Conv3d(Conv, frozen=True):
    """`conv1d` over three axes: x [B, C, T, H, W]."""

    rank: ClassVar = 3
    words: ClassVar = ("conv3d",)


class Pool(Component, frozen=True):
    """`max` or `mean` over windows of every trailing axis: x [B, C, *sizes]."""

    words: ClassVar = ("pool",)
    fn: Annotated[Literal["max", "mean"], Slot("word")]
    kernel: Size
    stride: Size | None = None
    padding: Count = n.num(0)

    def lower(self, at: Place, *inputs: Handle) -> Results:
        axes = inputs[0].type.rank - 2
        op = PoolOp(
            self.fn, (self.kernel,) * axes, (self.stride or self.kernel,) * axes, (self.padding,) * axes
        )
        return (at.builder.apply(op, inputs[0], name=at.value_name),)


class Resample(Component, frozen=True):
    """The grid `scale` times as fine along every trailing axis: x [B, C, *sizes]."""

    words: ClassVar = ("resample",)
    scale: Size
    mode: Annotated[Literal["nearest", "linear"], Slot("word")] = "nearest"

    def lower(self, at: Place, *inputs: Handle) -> Results:
        return (at.builder.apply(ResampleOp(self.scale, self.mode), inputs[0], name=at.value_name),)
