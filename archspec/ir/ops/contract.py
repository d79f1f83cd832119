"""Operations that multiply and add: matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.op import Mixed, Op
from archspec.ir.types import (
    ShapeError,
    TensorType,
    broadcast,
    divides,
    is_float,
    promote,
    require,
    same_size,
    whole,
)


class Linear(Op, frozen=True):
    """x @ weight^T + bias: x [..., in], weight [out, in], bias [out] -> [..., out]."""

    work: ClassVar = "product"

    def infer(
        self, x: TensorType, weight: TensorType, bias: TensorType | None = None
    ) -> tuple[TensorType, ...]:
        require(is_float(x.dtype), "T007", f"linear takes floats, not {x.dtype}")
        fits = x.rank >= 1 and weight.rank == 2
        require(fits, "T005", f"linear takes [..., in] and [out, in], not {x} and {weight}")
        same_size(x.shape[-1], weight.shape[1], "linear: the input's width against the weight's")
        _check_bias(bias, weight.shape[0], "linear")
        return (x.with_shape(*x.shape[:-1], weight.shape[0]),)

    def mixes(self, x: TensorType, *_: TensorType | None) -> Mixed:
        return (-1,), (-1,)

    def flops(self, x: TensorType, weight: TensorType, *_: TensorType | None) -> Num:
        return 2 * n.product(x.shape) * weight.shape[0]


class Matmul(Op, frozen=True):
    """a @ b over the last two axes, leading axes broadcast: [..., m, k] @ [..., k, n] -> [..., m, n]."""

    work: ClassVar = "product"

    def infer(self, a: TensorType, b: TensorType) -> tuple[TensorType, ...]:
        fits = a.rank >= 2 and b.rank >= 2
        require(fits, "T005", f"matmul takes at least two axes on each side, not {a} and {b}")
        same_size(a.shape[-1], b.shape[-2], "matmul: the inner sizes")
        lead = broadcast(a.shape[:-2], b.shape[:-2]) if a.rank > 2 or b.rank > 2 else ()
        return (TensorType(promote(a.dtype, b.dtype), (*lead, a.shape[-2], b.shape[-1])),)

    def mixes(self, a: TensorType, b: TensorType) -> Mixed:
        return (-1,), (-2,)

    def flops(self, a: TensorType, b: TensorType) -> Num:
        return 2 * n.product(self.infer(a, b)[0].shape) * a.shape[-1]


class Einsum(Op, frozen=True):
    """Products summed over the letters that the result lacks: `bqd,bkd->bqk`."""

    work: ClassVar = "product"
    equation: str

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        left, arrow, right = self.equation.replace(" ", "").partition("->")
        terms = left.split(",")
        fits = bool(arrow) and len(terms) == len(operands)
        require(fits, "T009", f"'{self.equation}' does not fit {len(operands)} operands")
        sizes: dict[str, Num] = {}
        for term, operand in zip(terms, operands, strict=True):
            fits = term.isascii() and term.isalpha() and len(term) == operand.rank
            require(fits, "T009", f"'{term}' does not fit {operand}")
            for letter, size in zip(term, operand.shape, strict=True):
                same_size(sizes.setdefault(letter, size), size, f"einsum '{letter}'")
        fits = set(right) <= set(sizes) and len(set(right)) == len(right)
        require(fits, "T009", f"'{right}' is not made of '{left}'")
        return (TensorType(promote(*(o.dtype for o in operands)), tuple(sizes[c] for c in right)),)

    def mixes(self, *operands: TensorType) -> Mixed:
        left, _, right = self.equation.replace(" ", "").partition("->")
        return tuple([i for i, letter in enumerate(term) if letter not in right] for term in left.split(","))

    def flops(self, *operands: TensorType) -> Num:
        """Of products of two, from left to right; where they sum over no letter, they are elementwise."""
        return self._total(self._steps(operands), summing=True)

    def backward_flops(self, needed: Sequence[bool], *operands: TensorType) -> Num:
        """A step gives two gradients: of what came out of the steps before it, and of one more operand."""
        total, steps = n.num(0), self._steps(operands)
        for i, step in enumerate(steps):
            total = total + (any(needed[: i + 1]) + needed[i + 1]) * self._total([step], summing=True)
        return total

    def elementwise(self, *operands: TensorType) -> Num:
        return self._total(self._steps(operands), summing=False)

    def _steps(self, operands: Sequence[TensorType]) -> list[tuple[Num, bool]]:
        """For each product of two its multiplications, and whether they are summed."""
        left, _, right = self.equation.replace(" ", "").partition("->")
        terms = left.split(",")
        sizes = dict(
            pair for t, o in zip(terms, operands, strict=True) for pair in zip(t, o.shape, strict=True)
        )
        have, steps = set(terms[0]), list[tuple[Num, bool]]()
        for i, term in enumerate(terms[1:], 2):
            later = set(right).union(*terms[i:])
            summed = (have & set(term)) - later
            have = (have | set(term)) & later
            ordered = sorted(have | summed)
            steps.append((n.product(tuple(sizes[letter] for letter in ordered)), bool(summed)))
        return steps

    @staticmethod
    def _total(steps: Sequence[tuple[Num, bool]], *, summing: bool) -> Num:
        counted = [size for size, summed in steps if summed is summing]
        return sum((2 * size if summing else size for size in counted), start=n.num(0))


class Conv(Op, frozen=True):
    """Cross-correlation over the trailing axes: x [B, C, *spatial] -> [B, O, *out].

    weight [O, C / groups, *kernel], bias [O].
    out = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1, per spatial axis.
    """

    work: ClassVar = "product"
    stride: tuple[Num, ...]
    padding: tuple[tuple[Num, Num], ...]
    dilation: tuple[Num, ...]
    groups: Num

    def infer(
        self, x: TensorType, weight: TensorType, bias: TensorType | None = None
    ) -> tuple[TensorType, ...]:
        spatial = _spatial(x, weight, (self.stride, self.padding, self.dilation))
        same_size(
            x.shape[1], weight.shape[1] * self.groups, "conv: the input's channels against the weight's"
        )
        out, groups = weight.shape[0], self.groups
        divides(out, groups, f"{out.described()} channels do not divide into {groups.described()} groups")
        _check_bias(bias, out, "conv")
        sizes = [self._out(i, x.shape[2 + i], weight.shape[2 + i]) for i in range(spatial)]
        return (x.with_shape(x.shape[0], out, *sizes),)

    def _out(self, i: int, size: Num, kernel: Num) -> Num:
        before, after = (whole(p, "conv: the padding") for p in self.padding[i])
        reach = whole(self.dilation[i], "conv: the dilation", 1) * (whole(kernel, "conv: the kernel", 1) - 1)
        free = before + after - reach - 1
        fits = not size.static or whole(size, "conv: the input") + free >= 0
        if not fits:
            problem = f"conv: a kernel that reaches {reach + 1} does not fit {size.described()}"
            raise ShapeError("T004", problem)
        stride = whole(self.stride[i], "conv: the stride", 1)
        if free == -stride:  # side by side, as patches are
            return size // self.stride[i] if stride > 1 else size
        if stride == 1:
            return size + (free + 1) if size.static else n.num((size + (free + 1)).size)
        return (size + free) // self.stride[i] + 1

    def mixes(self, x: TensorType, weight: TensorType, *_: TensorType | None) -> Mixed:
        reach = zip(weight.shape[2:], self.stride, self.padding, strict=True)
        alone = [(kernel, stride, *padding) for kernel, stride, padding in reach]
        wide = [i for i, numbers in enumerate(alone) if [number.value for number in numbers] != [1, 1, 0, 0]]
        return ((1, *(2 + i for i in wide)),)

    def flops(self, x: TensorType, weight: TensorType, *_: TensorType | None) -> Num:
        return 2 * n.product(self.infer(x, weight)[0].shape) * n.product(weight.shape[1:])


class ConvTranspose(Op, frozen=True):
    """The transpose of `Conv`: x [B, C, *spatial] -> [B, O, *out].

    weight [C, O / groups, *kernel], bias [O].
    out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1, per spatial axis.
    """

    work: ClassVar = "product"
    stride: tuple[Num, ...]
    padding: tuple[Num, ...]
    output_padding: tuple[Num, ...]
    dilation: tuple[Num, ...]
    groups: Num

    def infer(
        self, x: TensorType, weight: TensorType, bias: TensorType | None = None
    ) -> tuple[TensorType, ...]:
        per_axis = (self.stride, self.padding, self.output_padding, self.dilation)
        spatial = _spatial(x, weight, per_axis)
        channels, groups = x.shape[1], self.groups
        same_size(channels, weight.shape[0], "conv_transpose: the input's channels against the weight's")
        divides(
            channels,
            groups,
            f"{channels.described()} channels do not divide into {groups.described()} groups",
        )
        _check_bias(bias, weight.shape[1] * groups, "conv_transpose")
        sizes = [self._out(i, x.shape[2 + i], weight.shape[2 + i]) for i in range(spatial)]
        return (x.with_shape(x.shape[0], weight.shape[1] * groups, *sizes),)

    def _out(self, i: int, size: Num, kernel: Num) -> Num:
        reach = whole(self.dilation[i], "conv_transpose: the dilation", 1) * (
            whole(kernel, "its kernel", 1) - 1
        )
        cut = 2 * whole(self.padding[i], "conv_transpose: the padding")
        fixed = reach + whole(self.output_padding[i], "conv_transpose: the output padding") + 1 - cut
        whole(self.stride[i], "conv_transpose: the stride", 1)
        return (size - 1) * self.stride[i] + fixed

    def mixes(self, x: TensorType, *_: TensorType | None) -> Mixed:
        return (range(1, x.rank),)

    def flops(self, x: TensorType, weight: TensorType, *_: TensorType | None) -> Num:
        return 2 * n.product(x.shape) * n.product(weight.shape[1:])


def _spatial(x: TensorType, weight: TensorType, per_axis: tuple[tuple[object, ...], ...]) -> int:
    """The number of spatial axes."""
    spatial = weight.rank - 2
    require(is_float(x.dtype), "T007", f"a convolution takes floats, not {x.dtype}")
    require(spatial >= 1, "T005", f"a convolution's weight is [out, in, *kernel], not {weight}")
    require(
        x.rank == weight.rank, "T005", f"a {spatial}-d convolution takes [B, C, {spatial} sizes], not {x}"
    )
    fits = all(len(values) == spatial for values in per_axis)
    require(fits, "T013", f"a {spatial}-d convolution has {spatial} strides, paddings and dilations")
    return spatial


def _check_bias(bias: TensorType | None, size: Num, what: str) -> None:
    if bias is not None:
        require(bias.rank == 1, "T005", f"{what}: a bias has one axis, not {bias}")
        same_size(bias.shape[0], size, f"{what}: the bias against the weight")
