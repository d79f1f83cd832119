"""Strides of views and of elementwise results are torch's, for tensors that lie in any way."""

import math
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from archspec.backends.torch.fake import layout

SIZES = st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=4)


OPERATIONS: dict[int, Callable[..., torch.Tensor]] = {1: torch.exp, 2: torch.add, 3: torch.addcmul}


@st.composite
def tensors(draw: st.DrawFn, shape: list[int] | None = None) -> torch.Tensor:
    """Of a shape: permuted, sliced, expanded."""
    wanted = draw(SIZES) if shape is None else shape
    order = draw(st.permutations(range(len(wanted))))
    cuts = [draw(st.sampled_from([1, 1, 1, 2])) for _ in wanted]
    kept = [1 if n > 1 and draw(st.integers(0, 5)) == 0 else n for n in wanted]
    stored = torch.empty([kept[axis] * cuts[axis] for axis in order])
    x = stored.permute([order.index(axis) for axis in range(len(wanted))])
    return x[tuple(slice(None, None, cut) for cut in cuts)].expand(wanted)


@st.composite
def groupings(draw: st.DrawFn) -> tuple[torch.Tensor, list[int]]:
    """A tensor, and another shape of as many elements."""
    x = draw(tensors())
    left, new = x.numel(), list[int]()
    while left > 1:
        size = draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0]))
        new.append(size)
        left //= size
        if len(new) > 5:
            new.append(left)
            break
    return x, new


@given(groupings())
def test_a_view_or_a_copy(case: tuple[torch.Tensor, list[int]]):
    x, new = case
    assert math.prod(new) == x.numel()
    found = layout.viewed(tuple(x.shape), x.stride(), tuple(new))
    if found is None:
        assert x.reshape(new).data_ptr() != x.data_ptr()
    else:
        assert found == x.view(new).stride()


@given(st.data())
def test_an_elementwise_result(data: Any):
    shape = data.draw(SIZES)
    operands = [data.draw(tensors(shape)) for _ in range(data.draw(st.integers(1, 3)))]
    out = OPERATIONS[len(operands)](*operands)
    found = layout.elementwise(tuple(shape), tuple((tuple(x.shape), x.stride()) for x in operands))
    assert told(shape, found) == told(shape, out.stride())
    assert layout.is_contiguous(tuple(shape), found) == out.is_contiguous()


def told(shape: list[int], strides: tuple[int, ...]) -> list[int]:
    """The stride of an axis of one element says nothing."""
    return [stride for size, stride in zip(shape, strides, strict=True) if size != 1]


@given(SIZES, SIZES)
def test_broadcasting(a: list[int], b: list[int]):
    x, y = torch.empty(a), torch.empty(b)
    try:
        expected = tuple(torch.broadcast_shapes(x.shape, y.shape))
    except RuntimeError:
        expected = None
    try:
        found = layout.broadcast(tuple(a), tuple(b))
    except ValueError:
        found = None
    assert found == expected
