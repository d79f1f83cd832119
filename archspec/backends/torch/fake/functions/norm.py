"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.functions.copies import cast, contiguous
from archspec.backends.torch.fake.functions.pointwise import mul, rsqrt, square
from archspec.backends.torch.fake.functions.reduce import mean
from archspec.backends.torch.fake.functions.training import in_fp32
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor


def _statistics(x: Tensor, weights: Sequence[Tensor], shape: Sequence[int]) -> list[Tensor]:
    """Mean and reciprocal deviation: in fp32 on a GPU, in the dtype of the parameters on a CPU."""
    dtype = weights[0].dtype if weights else x.dtype
    if current().device == "cuda" and dtype.itemsize == 2:
        dtype = dtypes.float32
    return [made(name, (), shape, dtype, differentiable=False) for name in ("mean", "rstd")]


def _normed(
    name: str, x: Tensor, parameters: Sequence[Tensor | None], statistics: Sequence[int], keeps_bias: bool
) -> Tensor:
    given = [p for p in parameters if p is not None]
    mean, rstd = _statistics(x, given, statistics)
    kept = given if keeps_bias else given[:1]
    saves = [("input", x), *(("weight", p) for p in kept), ("mean", mean), ("rstd", rstd)]
    strides = _kept(x) if name == "native_group_norm" else None
    return made(name, (x, *given), x.shape, x.dtype, strides=strides, saves=saves)


def _kept(x: Tensor) -> tuple[int, ...] | None:
    """Channels of a grid that lie side by side do so in the result."""
    return x.strides if x.dim() == 4 and layout.is_channels_last(x.shape, x.strides) else None


@function("layer_norm")
def layer_norm(
    x: Tensor,
    shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    x = in_fp32(x)
    lead = x.shape[: x.dim() - len(shape)]
    return _normed("native_layer_norm", x, (weight, bias), (*lead, *[1] * len(shape)), True)


@function("group_norm")
def group_norm(
    x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    x = in_fp32(x)
    x = x if x.dim() == 4 and layout.is_channels_last(x.shape, x.strides) else contiguous(x)
    return _normed("native_group_norm", x, (weight, bias), (x.shape[0], groups), False)


@function("batch_norm")
def batch_norm(
    x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None = None, bias: Tensor | None = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    given = [p for p in (weight, bias) if p is not None]
    batch = _statistics(x, [*given, mean], (x.shape[1] if training else 0,))
    saves = [("input", x), *(("weight", p) for p in given[:1]), ("running_mean", mean), ("running_var", var)]
    saves += [("batch statistics", b) for b in batch]
    return made("native_batch_norm", (x, *given), x.shape, x.dtype, strides=_kept(x), saves=saves)


@function("rms_norm")
def rms_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Source: `at::_fused_rms_norm` without a fused kernel: in fp32 below it, step by step."""
    given = x.dtype
    wide = cast(x, dtypes.float32) if given.itemsize == 2 else x
    axes = list(range(x.dim() - len(shape), x.dim()))
    squares = square(wide)
    variance = mean(squares, axes, keepdim=True)
    scale = rsqrt(variance)
    del squares, variance
    y = mul(wide, scale)
    y = y if weight is None else mul(y, weight)
    y = contiguous(y)
    del wide
    return cast(y, given)
