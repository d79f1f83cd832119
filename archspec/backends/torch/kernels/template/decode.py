"""Attention of a few queries: the tiles of keys that they need are cut into shares, which run side by side.

The heads of a group read the same keys, so their queries are the rows of one tile: row r is query r % Q of
head r // Q of the group.
"""

import triton
import triton.language as tl

from archspec.backends.torch.kernels.template.forward import attend, finished
from archspec.backends.torch.kernels.template.rows import NOTHING, head, matrix, write_rows
from archspec.backends.torch.kernels.template.structure import (
    OPERANDS,
    PICKED,
    VARYING,
    all_keys,
    certain_keys,
    count_all_keys,
    count_certain_keys,
    key_tiles,
    picked_keys,
    picks,
)


@triton.jit(do_not_specialize=[VARYING])
def decode(
    q, k, v, parts, peaks, totals, cap, dropout, seed, OPERANDS,
    q_b, q_h, q_s, k_b, k_h, k_s, v_b, v_h, v_s, start, Q, K, heads, group, scale,
    E: tl.constexpr, W: tl.constexpr, EP: tl.constexpr, WP: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
    PRECISION: tl.constexpr, TMA: tl.constexpr, FAST: tl.constexpr, SHARES: tl.constexpr,
):  # fmt: skip
    """Sums of weighted values [B, G, M, SHARES, W], highest scores and sums of weights [B, G, M, SHARES].

    A program is a share of the tiles that are needed, for a group of heads.
    """
    share = tl.program_id(0) % SHARES
    groups = heads // group
    b = tl.program_id(0) // SHARES // groups
    g = tl.program_id(0) // SHARES % groups
    row = tl.arange(0, M)
    member = tl.minimum(row // Q, group - 1)
    h = (g * group + member)[:, None]
    at_q = start + (row % Q)[:, None]
    place = (b, h, start, Q, K, heads, scale, cap, dropout, seed)
    operands = (OPERANDS,)
    feature = tl.arange(0, EP)[None, :]
    places = q + b.to(tl.int64) * q_b + h * q_h + (row % Q)[:, None] * q_s + feature
    queries = tl.load(places, mask=(row < group * Q)[:, None] & (feature < E), other=0.0)
    k_rows = matrix(head(k, b, g, k_b, k_h), k_s, K, E, N, EP, TMA)
    v_rows = matrix(head(v, b, g, v_b, v_h), v_s, K, W, N, WP, TMA)
    acc = tl.zeros([M, WP], tl.float32)
    highest = tl.full([M], NOTHING, tl.float32)
    total = tl.zeros([M], tl.float32)
    runs = key_tiles(0, Q, N, Q, K, start, b, g * group, operands)
    if PICKED:
        certain = count_certain_keys(runs)
        for i in range(share, count_all_keys(runs), SHARES):
            n = tl.where(i < certain, certain_keys(i, runs), picked_keys(i - certain, runs))
            at_k = tl.minimum(n * N + tl.arange(0, N), K - 1)[None, :]
            if (i < certain) | picks(b, h, at_q, at_k, start, operands):
                acc, highest, total = attend(
                    acc, highest, total, queries, k_rows, v_rows, n, at_q, k_s, v_s, place, operands,
                    E, W, EP, WP, N, PRECISION, TMA, FAST, True,
                )  # fmt: skip
    else:
        for i in range(share, count_all_keys(runs), SHARES):
            acc, highest, total = attend(
                acc, highest, total, queries, k_rows, v_rows, all_keys(i, runs), at_q, k_s, v_s, place,
                operands, E, W, EP, WP, N, PRECISION, TMA, FAST, True,
            )  # fmt: skip
    rows = ((b * groups + g) * M + row) * SHARES + share
    tl.store(peaks + rows, highest)
    tl.store(totals + rows, total)
    column = tl.arange(0, WP)[None, :]
    tl.store(parts + rows[:, None].to(tl.int64) * W + column, acc, mask=column < W)


@triton.jit
def combine(
    parts, peaks, totals, out, lse, sinks, out_b, out_h, out_s, Q, heads, group,
    W: tl.constexpr, WP: tl.constexpr, M: tl.constexpr, SHARES: tl.constexpr,
):  # fmt: skip
    """`out` and `lse`, as `forward` has them, from those of all shares; a program is a query of a head."""
    i = tl.program_id(0) % Q
    b = tl.program_id(0) // Q // heads
    h = tl.program_id(0) // Q % heads
    row = (b * (heads // group) + h // group) * M + h % group * Q + i
    share = row * SHARES + tl.arange(0, SHARES)[:, None]
    column = tl.arange(0, WP)[None, :]
    peak = tl.load(peaks + share)
    highest = tl.max(peak, 0)
    fading = tl.exp2(peak - highest[None, :])
    total = tl.sum(tl.load(totals + share) * fading, 0)
    values = tl.load(parts + share.to(tl.int64) * W + column, mask=column < W, other=0.0)
    acc = tl.sum(values * fading, 0)[None, :]
    acc, powers = finished(acc, highest, total, h, sinks)
    write_rows(head(out, b, h, out_b, out_h), acc, i, out_s, Q, W, 1, WP)
    tl.store(lse + ((b * heads + h).to(tl.int64) * Q + i) + tl.arange(0, 1), powers)
