"""Attention of a few queries, from shares of the keys."""

import torch
import triton
from torch import Tensor

from archspec.backends.torch.kernels.template.decode import combine, decode
from archspec.backends.torch.kernels.template.launch import strides, tiles, widths
from archspec.backends.torch.kernels.template.structure import OPERANDS

MANY_KEYS = 256  # fewer are not worth a second kernel


def are_few(q: Tensor, k: Tensor) -> bool:
    """Whether the queries of a group of heads are so few that its keys are better cut into shares."""
    rows = q.shape[2] * (q.shape[1] // k.shape[1])
    return 0 < q.shape[2] <= 16 and 0 < rows <= 64 and k.shape[2] >= MANY_KEYS


def shares(q: Tensor, groups: int, tiles: int) -> int:
    """Into how many shares the tiles of keys are cut: to fill the device twice, of two tiles or more."""
    processors = torch.cuda.get_device_properties(q.device).multi_processor_count if q.is_cuda else 8
    wanted = min(triton.cdiv(2 * processors, groups), tiles // 2, 128)
    return triton.next_power_of_2(wanted + 1) // 2 if wanted > 1 else 1


def decoded(
    q: Tensor, k: Tensor, v: Tensor, PARAMETERS, start: int, scale: float, out: Tensor, lse: Tensor
) -> tuple[Tensor, Tensor]:
    """`out` and `lse`, as `attention_forward` has them, of few queries."""
    batch, heads, queries, _ = q.shape
    groups, keys = k.shape[1], k.shape[2]
    t = tiles("decode", q, k, v)
    M = max(16, triton.next_power_of_2(queries * (heads // groups)))
    n = shares(q, batch * groups, triton.cdiv(keys, t.N))
    peaks, totals = (q.new_empty(batch, groups, M, n, dtype=torch.float32) for _ in range(2))
    parts = q.new_empty(batch, groups, M, n, v.shape[3], dtype=torch.float32)
    size = widths(q, v, t._replace(M=M))
    decode[(n * batch * groups,)](
        q, k, v, parts, peaks, totals, cap, dropout or None, seed, POINTERS,
        *q.stride()[:3], *k.stride()[:3], *v.stride()[:3],
        start, queries, keys, heads, heads // groups, scale, **size, SHARES=n,
    )  # fmt: skip
    combine[(queries * batch * heads,)](
        parts,
        peaks,
        totals,
        out,
        lse,
        sinks,
        *out.stride()[:3],
        queries,
        heads,
        heads // groups,
        W=size["W"],
        WP=size["WP"],
        M=M,
        SHARES=n,
    )
    return out, lse
