"""Sums of what pairs give to the elements that a score looks up, put where these elements are."""

from typing import Any

import torch
import torch.nn.functional as F
import triton
from torch import Tensor

from archspec.backends.torch.kernels.template.launch import strides, tiles, widths
from archspec.backends.torch.kernels.template.learned import backward_score
from archspec.backends.torch.kernels.template.structure import LOOKUPS, OPERANDS, read_at


def score_sums(
    lookup: int, walk: str, grad: Tensor, lse: Tensor, delta: Tensor, q: Tensor, k: Tensor, v: Tensor,
    PARAMETERS, start: int, scale: float,
) -> Tensor:  # fmt: skip
    """What a lookup of the score gets, in fp32.

    Of each query [B, H, Q], of each key [B, H, K], of each distance of their numbers, from 1 - Q to K - 1,
    [B, H, Q + K - 1], or of each pair [B, H, Q, K].
    """
    batch, heads, queries, _ = q.shape
    groups, keys = k.shape[1], k.shape[2]
    t = tiles("backward_score", q, k, v, grad)
    N = min(t.M, t.N)
    down, across = triton.cdiv(queries, N), triton.cdiv(keys, N)
    programs, shape = {
        "query": (down, (queries,)), "key": (across, (keys,)), "pair": (down * across, (queries, keys)),
        "distance": (down + across - 1, (down + across - 1, 2, N)),
    }[walk]  # fmt: skip
    sums = q.new_empty(batch, heads, *shape, dtype=torch.float32)
    backward_score[(programs * batch * heads,)](
        q, k, v, grad, lse, delta, sums, cap, dropout or None, seed, POINTERS,
        *q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *grad.stride()[:3],
        start, queries, keys, heads, heads // groups, scale, programs,
        **widths(q, v, t._replace(M=N, N=N, tma=False)), LOOKUP=lookup,
        BY_QUERY=walk == "query", BY_KEY=walk == "key",
        BY_DISTANCE=walk == "distance", BY_PAIR=walk == "pair",
    )  # fmt: skip
    if walk != "distance":
        return sums
    ahead, behind = (x.flatten(2) for x in sums.unbind(3))
    found = F.pad(ahead, (N, 0)) + F.pad(behind, (0, N))  # of distances from -down * N on
    return found[..., down * N - queries + 1 : down * N + keys]


def collect(
    to: Tensor, sums: Tensor, lookup: int, walk: str, axes: str, queries: int, start: int, operands: Any
) -> None:
    """Adds sums to the elements that were read: in a fixed order, also on a GPU, where `index_put_` sorts."""
    places = {"query": "bhq", "key": "bhk", "distance": "bhk", "pair": "bhqk"}[walk]
    sizes = [to.shape[axes.index(x)] if x in axes else 1 for x in places]
    if axes and all(have in (1, size) for have, size in zip(sizes, sums.shape, strict=True)):
        to += sums.sum_to_size(sizes).view(to.shape)
        return
    further = reversed(range(sums.dim()))
    ones = ([1] * n for n in further)
    numbers = (torch.arange(x, device=to.device).view(-1, *n) for x, n in zip(sums.shape, ones, strict=True))
    found = dict(zip(places, numbers, strict=True))
    none = torch.zeros((), dtype=torch.int64, device=to.device)
    b, h, q, k = (found.get(x, none) for x in "bhqk")
    if walk == "distance":
        k = k - (queries - 1) - start
    elif walk != "key":
        q = q + start
    read = read_at(lookup, b, h, q, k, start, operands)
    index = (none if size == 1 else none + i for size, i in zip(to.shape, read, strict=True))
    where = torch.broadcast_tensors(*index)
    to.index_put_(tuple(where), sums.sum_to_size(where[0].shape), accumulate=True)


def elements(x: Tensor, *index: Tensor) -> Tensor:
    """Elements of a tensor; an axis of size 1 stands for any size."""
    return x[tuple(0 if size == 1 else i for size, i in zip(x.shape, index, strict=True))]


def learned_gradients(
    grad: Tensor, lse: Tensor, delta: Tensor, q: Tensor, k: Tensor, v: Tensor, PARAMETERS, start: int,
    scale: float, wanted: list[bool],
) -> list[Tensor]:  # fmt: skip
    """Gradients of those tensors that the score looks up and that learn."""
    given: Any = (q, k, v, ARGUMENTS)
    found = {i: torch.zeros_like(given[i], dtype=torch.float32) for i, _, _ in LOOKUPS if wanted[i]}
    for lookup, (i, walk, axes) in enumerate(LOOKUPS):
        if wanted[i]:
            sums = score_sums(lookup, walk, grad, lse, delta, q, k, v, ARGUMENTS, start, scale)
            collect(found[i], sums, lookup, walk, axes, q.shape[2], start, [LOOKED])
    return [x.to(given[i].dtype) for i, x in found.items()]
