"""Where a run and its prediction part: their operations laid side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from archspec.backends.torch.fake.run import Kernel
from archspec.backends.torch.fake.trace import Saved
from archspec.backends.torch.observed import Kept, Ran


def differing_product(predicted: Sequence[Kernel], ran: Sequence[Ran]) -> str:
    """The first product with other FLOPs, or that only one side has. Empty where there is none."""
    mine, theirs = [k for k in predicted if k.flops], [r for r in ran if r.flops]
    for number, (kernel, one) in enumerate(zip_longest(mine, theirs), 1):
        if kernel is None or one is None or kernel.flops != one.flops:
            left = f"{_at(kernel)}: {kernel.flops:,} FLOP" if kernel else "nothing"
            right = f"{one.operation}: {one.flops:,} FLOP" if one else "nothing"
            return f"product {number}: predicted {left}; ran {right}"
    return ""


def differing_allocation(predicted: Sequence[Kernel], ran: Sequence[Ran]) -> str:
    """The first operations that allocate other bytes.

    One operation of a side may be several of the other, if these come to the same sum.
    """
    mine, theirs = [k for k in predicted if k.written], [r for r in ran if r.nbytes]
    for left, right, equal in _groups(mine, theirs):
        if not equal or min(len(left), len(right)) > 1:
            first = f"{_at(left[0])}: {left[0].written:,} B" if left else "nothing"
            other = f"{right[0].operation}: {right[0].nbytes:,} B" if right else "nothing"
            return f"predicted {first}; ran {other}"
    return ""


def differing_saved(predicted: Sequence[Saved], saved: Mapping[Kept, int], sizes: Mapping[Kept, int]) -> str:
    """Which kept tensors come to other bytes: the two largest differences, and who was to keep them.

    `sizes` are those predicted.
    """
    wrong = {key: saved.get(key, 0) - sizes.get(key, 0) for key in {*saved, *sizes}}
    keys = sorted((key for key in wrong if wrong[key]), key=lambda key: (-abs(wrong[key]), key))[:2]
    return "; ".join(_kept(key, wrong[key], predicted) for key in keys)


def _kept(key: Kept, more: int, predicted: Sequence[Saved]) -> str:
    role, elements, dtype = key
    owners = {f"{s.place or 'model'}: {s.operation}, {s.reason}" for s in predicted if saved_key(s) == key}
    by = f"predicted for {min(owners)}" if owners else "none was predicted"
    return f"{more:+,} B of {role} tensors of {elements:,} {dtype}, {by}"


def saved_key(one: Saved) -> Kept:
    """By what a storage is compared; autocast's copies of weights look like activations to torch."""
    return "activation" if one.role == "copy" else one.role, math.prod(one.shape), one.dtype


def _at(kernel: Kernel) -> str:
    return f"{kernel.name} in {kernel.place or 'the model itself'}"


def _groups(mine: Sequence[Kernel], theirs: Sequence[Ran]) -> Iterator[tuple[list[Kernel], list[Ran], bool]]:
    """Shortest stretches of both that come to the same sum, and whether they do: the last one may not."""
    i, j = 0, 0
    left, right, balance = list[Kernel](), list[Ran](), 0
    while i < len(mine) or j < len(theirs):
        if j >= len(theirs) or (i < len(mine) and balance <= 0):
            left.append(mine[i])
            balance, i = balance + mine[i].written, i + 1
        else:
            right.append(theirs[j])
            balance, j = balance - theirs[j].nbytes, j + 1
        if balance == 0 and left and right:
            yield left, right, True
            left, right = [], []
    if left or right:
        yield left, right, False
