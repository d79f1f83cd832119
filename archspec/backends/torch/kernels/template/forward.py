"""softmax(scores) v, tile by tile (Dao et al. 2022, arXiv:2205.14135), in powers of two."""

import triton
import triton.language as tl

from archspec.backends.torch.kernels.template.rows import LOG2E, NOTHING, head, matrix, tile_rows, write_rows
from archspec.backends.torch.kernels.template.scores import counts, kept, scored, to_base_2
from archspec.backends.torch.kernels.template.structure import (
    DROPPED,
    INSIDE,
    OPERANDS,
    PICKED,
    SUNK,
    VARYING,
    WHOLE,
    all_keys,
    count_all_keys,
    count_picked_keys,
    count_tested_keys,
    count_whole_keys,
    key_tiles,
    picked_keys,
    picks,
    tested_keys,
    whole_keys,
)


@triton.jit
def attend(
    acc, highest, total, queries, k, v, n, at_q, k_s, v_s, place, operands,
    E: tl.constexpr, W: tl.constexpr, EP: tl.constexpr, WP: tl.constexpr, N: tl.constexpr,
    PRECISION: tl.constexpr, TMA: tl.constexpr, FAST: tl.constexpr, TESTED: tl.constexpr,
):  # fmt: skip
    """One tile of keys: the sum of values, the highest score and the sum of weights, carried on."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    key = n * N + tl.arange(0, N)
    at_k = tl.minimum(key, K - 1)[None, :]
    keys = tile_rows(k, n * N, k_s, K, E, N, EP, TMA, TESTED)
    factor = to_base_2(scale)
    products = tl.dot(queries, tl.trans(keys), input_precision=PRECISION)
    s = scored(products, at_q, at_k, place, operands, FAST)
    if TESTED or INSIDE:
        s = tl.where(counts(at_q, at_k, place, operands, TESTED) & (key < K)[None, :], s, NOTHING)
    higher = tl.maximum(highest, tl.max(s, 1) * factor)
    weights = tl.exp2(s * factor - higher[:, None])
    fading = tl.exp2(highest - higher)
    total = total * fading + tl.sum(weights, 1)
    if DROPPED and dropout is not None:
        weights = tl.where(kept(at_q, at_k, place), weights / (1 - dropout), 0.0)
    values = tile_rows(v, n * N, v_s, K, W, N, WP, TMA, TESTED)
    acc = tl.dot(weights.to(values.dtype), values, acc * fading[:, None], input_precision=PRECISION)
    return acc, higher, total


@triton.jit
def finished(acc, highest, total, h, sinks):
    """The weighted mean of the values, and the logarithm to base 2 of the sum of powers."""
    if SUNK:
        sink = tl.load(sinks + h).to(tl.float32) * LOG2E
        higher = tl.maximum(highest, sink)
        fading = tl.exp2(highest - higher)
        acc = acc * fading[:, None]
        total = total * fading + tl.exp2(sink - higher)
        seen = total > 0
        highest = higher
    else:
        seen = highest > NOTHING * 1e-9  # else no key, whatever the scale: the result is 0
    acc = tl.where(seen[:, None], acc / total[:, None], 0.0)
    return acc, tl.where(seen, highest + tl.log2(total), float("inf"))


@triton.jit(do_not_specialize=[VARYING])
def forward(
    q, k, v, out, lse, sinks, cap, dropout, seed, OPERANDS,
    q_b, q_h, q_s, k_b, k_h, k_s, v_b, v_h, v_s, out_b, out_h, out_s,
    start, Q, K, heads, group, scale,
    E: tl.constexpr, W: tl.constexpr, EP: tl.constexpr, WP: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
    PRECISION: tl.constexpr, TMA: tl.constexpr, FAST: tl.constexpr,
    ONE_LOOP: tl.constexpr, SPECIAL: tl.constexpr,
):  # fmt: skip
    """out [B, H, Q, W], and the logarithm to base 2 of the sum of powers that weighs it: lse [B, H, Q].

    A program is a tile of M queries of a head; those that see most come first.
    """
    tiles = tl.cdiv(Q, M)
    m = tiles - 1 - tl.program_id(0) % tiles
    b = tl.program_id(0) // tiles // heads
    h = tl.program_id(0) // tiles % heads
    if DROPPED:
        seed = tl.load(seed)
    place = (b, h, start, Q, K, heads, scale, cap, dropout, seed)
    operands = (OPERANDS,)
    row = m * M + tl.arange(0, M)
    at_q = start + tl.minimum(row, Q - 1)[:, None]
    q_rows = matrix(head(q, b, h, q_b, q_h), q_s, Q, E, M, EP, TMA)
    k_rows = matrix(head(k, b, h // group, k_b, k_h), k_s, K, E, N, EP, TMA)
    v_rows = matrix(head(v, b, h // group, v_b, v_h), v_s, K, W, N, WP, TMA)
    queries = tile_rows(q_rows, m * M, q_s, Q, E, M, EP, TMA, True)
    acc = tl.zeros([M, WP], tl.float32)
    highest = tl.full([M], NOTHING, tl.float32)
    total = tl.zeros([M], tl.float32)
    runs = key_tiles(m, M, N, Q, K, start, b, h, operands)
    steps = count_all_keys(runs) if ONE_LOOP else count_tested_keys(runs)
    for i in tl.range(0, steps, warp_specialize=SPECIAL):
        n = all_keys(i, runs) if ONE_LOOP else tested_keys(i, runs)
        acc, highest, total = attend(
            acc, highest, total, queries, k_rows, v_rows, n, at_q, k_s, v_s, place, operands,
            E, W, EP, WP, N, PRECISION, TMA, FAST, True,
        )  # fmt: skip
    if WHOLE and not ONE_LOOP:
        for i in range(count_whole_keys(runs)):
            acc, highest, total = attend(
                acc, highest, total, queries, k_rows, v_rows, whole_keys(i, runs), at_q, k_s, v_s, place,
                operands, E, W, EP, WP, N, PRECISION, TMA, FAST, False,
            )  # fmt: skip
    if PICKED and not ONE_LOOP:
        for i in range(count_picked_keys(runs)):
            n = picked_keys(i, runs)
            at_k = tl.minimum(n * N + tl.arange(0, N), K - 1)[None, :]
            if picks(b, h, at_q, at_k, start, operands):
                acc, highest, total = attend(
                    acc, highest, total, queries, k_rows, v_rows, n, at_q, k_s, v_s, place, operands,
                    E, W, EP, WP, N, PRECISION, TMA, FAST, True,
                )  # fmt: skip
    acc, powers = finished(acc, highest, total, h, sinks)
    write_rows(head(out, b, h, out_b, out_h), acc, m * M, out_s, Q, W, M, WP)
    tl.store(lse + (b * heads + h).to(tl.int64) * Q + row, powers, mask=row < Q)
