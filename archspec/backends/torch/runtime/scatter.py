"""Putting values at places."""

from torch import Tensor


def scatter(x: Tensor, index: Tensor, axis: int, size: int) -> Tensor:
    """Zeros of `size` along `axis`, with x at its indices; what meets in one place is summed."""
    shape = list(x.shape)
    shape[axis] = size
    return x.new_zeros(shape).scatter_add(axis, index, x)
