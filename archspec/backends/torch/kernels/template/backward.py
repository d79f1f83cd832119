"""Gradients, from weights computed anew: of queries by tiles of queries, of keys and values by those of keys.

Each sum is one program's, in a fixed order: the same numbers come out every time.
"""

import triton
import triton.language as tl

from archspec.backends.torch.kernels.template.rows import (
    head,
    matrix,
    numbers_at,
    sequence,
    tile_rows,
    write_rows,
)
from archspec.backends.torch.kernels.template.scores import counts, kept, saturated, scored, to_base_2
from archspec.backends.torch.kernels.template.structure import (
    CAPPED,
    DROPPED,
    INSIDE,
    OPERANDS,
    PICKED,
    VARYING,
    WHOLE,
    all_keys,
    all_queries,
    count_all_keys,
    count_all_queries,
    count_picked_keys,
    count_picked_queries,
    count_tested_keys,
    count_tested_queries,
    count_whole_keys,
    count_whole_queries,
    key_tiles,
    picked_keys,
    picked_queries,
    picks,
    query_tiles,
    tested_keys,
    tested_queries,
    whole_keys,
    whole_queries,
)


@triton.jit
def row_sums(
    out, grad, delta, out_b, out_h, out_s, grad_b, grad_h, grad_s, Q, heads,
    W: tl.constexpr, WP: tl.constexpr, M: tl.constexpr,
):  # fmt: skip
    """delta [B, H, Q]: what the result times its gradient sums up to, in each row."""
    tiles = tl.cdiv(Q, M)
    m = tl.program_id(0) % tiles
    b = tl.program_id(0) // tiles // heads
    h = tl.program_id(0) // tiles % heads
    y = tile_rows(head(out, b, h, out_b, out_h), m * M, out_s, Q, W, M, WP, False, True)
    dy = tile_rows(head(grad, b, h, grad_b, grad_h), m * M, grad_s, Q, W, M, WP, False, True)
    row = m * M + tl.arange(0, M)
    sums = tl.sum(y.to(tl.float32) * dy.to(tl.float32), 1)
    tl.store(delta + (b * heads + h).to(tl.int64) * Q + row, sums, mask=row < Q)


@triton.jit
def weighed(products, lse, q, k, place, operands, FAST: tl.constexpr, TESTED: tl.constexpr):
    """The weights of a tile of pairs, before some are left out."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    weights = tl.exp2(scored(products, q, k, place, operands, FAST) * to_base_2(scale) - lse)
    if TESTED or INSIDE:
        weights = tl.where(counts(q, k, place, operands, TESTED), weights, 0.0)
    return weights


@triton.jit
def thinned(x, q, k, place):
    """Weights, or their gradients, where some weights are left out: these are 0, the others grow."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    if DROPPED and dropout is not None:
        x = tl.where(kept(q, k, place), x / (1 - dropout), 0.0)
    return x


@triton.jit
def sloped(weights, gradients, delta, products, place, FAST: tl.constexpr):
    """From the gradients of weights those of scores, and of scaled products."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    ds = weights * (gradients - delta)
    dp = ds
    if CAPPED:
        t = saturated(products, scale, cap, FAST)
        dp = ds * (1 - t * t)
    return ds, dp


@triton.jit
def to_queries(
    acc, queries, grads, lse, delta, k, v, n, at_q, k_s, v_s, place, operands,
    E: tl.constexpr, W: tl.constexpr, EP: tl.constexpr, WP: tl.constexpr, N: tl.constexpr,
    PRECISION: tl.constexpr, TMA: tl.constexpr, FAST: tl.constexpr, TESTED: tl.constexpr,
):  # fmt: skip
    """What one tile of keys adds to the gradient of a tile of queries."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    key = n * N + tl.arange(0, N)
    at_k = tl.minimum(key, K - 1)[None, :]
    keys = tile_rows(k, n * N, k_s, K, E, N, EP, TMA, TESTED)
    values = tile_rows(v, n * N, v_s, K, W, N, WP, TMA, TESTED)
    products = tl.dot(queries, tl.trans(keys), input_precision=PRECISION)
    weights = weighed(products, lse, at_q, at_k, place, operands, FAST, TESTED)
    if TESTED:
        weights = tl.where((key < K)[None, :], weights, 0.0)
    gradients = thinned(tl.dot(grads, tl.trans(values), input_precision=PRECISION), at_q, at_k, place)
    ds, dp = sloped(weights, gradients, delta, products, place, FAST)
    return tl.dot(dp.to(keys.dtype), keys, acc, input_precision=PRECISION)


@triton.jit(do_not_specialize=[VARYING])
def backward_queries(
    q, k, v, grad, lse, delta, dq, cap, dropout, seed, OPERANDS,
    q_b, q_h, q_s, k_b, k_h, k_s, v_b, v_h, v_s, grad_b, grad_h, grad_s, dq_b, dq_h, dq_s,
    start, Q, K, heads, group, scale,
    E: tl.constexpr, W: tl.constexpr, EP: tl.constexpr, WP: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
    PRECISION: tl.constexpr, TMA: tl.constexpr, FAST: tl.constexpr,
    ONE_LOOP: tl.constexpr, SPECIAL: tl.constexpr,
):  # fmt: skip
    """dq [B, H, Q, E]; a program is a tile of M queries of a head."""
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
    g_rows = matrix(head(grad, b, h, grad_b, grad_h), grad_s, Q, W, M, WP, TMA)
    queries = tile_rows(q_rows, m * M, q_s, Q, E, M, EP, TMA, True)
    grads = tile_rows(g_rows, m * M, grad_s, Q, W, M, WP, TMA, True)
    rows = (b * heads + h).to(tl.int64) * Q
    powers = numbers_at(sequence(lse + rows, Q, M, TMA), m * M, Q, M, TMA, float("inf"))[:, None]
    sums = numbers_at(sequence(delta + rows, Q, M, TMA), m * M, Q, M, TMA, 0.0)[:, None]
    k_rows = matrix(head(k, b, h // group, k_b, k_h), k_s, K, E, N, EP, TMA)
    v_rows = matrix(head(v, b, h // group, v_b, v_h), v_s, K, W, N, WP, TMA)
    acc = tl.zeros([M, EP], tl.float32)
    runs = key_tiles(m, M, N, Q, K, start, b, h, operands)
    steps = count_all_keys(runs) if ONE_LOOP else count_tested_keys(runs)
    for i in tl.range(0, steps, warp_specialize=SPECIAL):
        n = all_keys(i, runs) if ONE_LOOP else tested_keys(i, runs)
        acc = to_queries(
            acc, queries, grads, powers, sums, k_rows, v_rows, n, at_q, k_s, v_s, place, operands,
            E, W, EP, WP, N, PRECISION, TMA, FAST, True,
        )  # fmt: skip
    if WHOLE and not ONE_LOOP:
        for i in range(count_whole_keys(runs)):
            acc = to_queries(
                acc, queries, grads, powers, sums, k_rows, v_rows, whole_keys(i, runs), at_q, k_s, v_s, place,
                operands, E, W, EP, WP, N, PRECISION, TMA, FAST, False,
            )  # fmt: skip
    if PICKED and not ONE_LOOP:
        for i in range(count_picked_keys(runs)):
            n = picked_keys(i, runs)
            at_k = tl.minimum(n * N + tl.arange(0, N), K - 1)[None, :]
            if picks(b, h, at_q, at_k, start, operands):
                acc = to_queries(
                    acc, queries, grads, powers, sums, k_rows, v_rows, n, at_q, k_s, v_s, place, operands,
                    E, W, EP, WP, N, PRECISION, TMA, FAST, True,
                )  # fmt: skip
    write_rows(head(dq, b, h, dq_b, dq_h), acc * scale, m * M, dq_s, Q, E, M, EP)


@triton.jit
def to_keys(
    dk, dv, keys, values, q, grad, lse, delta, m, at_k, q_s, grad_s, place, operands,
    E: tl.constexpr, W: tl.constexpr, EP: tl.constexpr, WP: tl.constexpr, M: tl.constexpr,
    PRECISION: tl.constexpr, TMA: tl.constexpr, FAST: tl.constexpr, TESTED: tl.constexpr,
):  # fmt: skip
    """What a tile of queries adds to gradients of a tile of keys and values; pairs are [keys, queries]."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    row = m * M + tl.arange(0, M)
    at_q = start + tl.minimum(row, Q - 1)[None, :]
    queries = tile_rows(q, m * M, q_s, Q, E, M, EP, TMA, TESTED)
    grads = tile_rows(grad, m * M, grad_s, Q, W, M, WP, TMA, TESTED)
    powers = numbers_at(lse, m * M, Q, M, TMA, float("inf"))[None, :]
    products = tl.dot(keys, tl.trans(queries), input_precision=PRECISION)
    weights = weighed(products, powers, at_q, at_k, place, operands, FAST, TESTED)
    if TMA and TESTED:  # beyond the end `powers` is 0 then, not infinity
        weights = tl.where((row < Q)[None, :], weights, 0.0)
    used = thinned(weights, at_q, at_k, place).to(grads.dtype)
    dv = tl.dot(used, grads, dv, input_precision=PRECISION)
    gradients = thinned(tl.dot(values, tl.trans(grads), input_precision=PRECISION), at_q, at_k, place)
    sums = numbers_at(delta, m * M, Q, M, TMA, 0.0)[None, :]
    ds, dp = sloped(weights, gradients, sums, products, place, FAST)
    dk = tl.dot(dp.to(queries.dtype), queries, dk, input_precision=PRECISION)
    return dk, dv


@triton.jit(do_not_specialize=[VARYING])
def backward_keys(
    q, k, v, grad, lse, delta, dk, dv, cap, dropout, seed, OPERANDS,
    q_b, q_h, q_s, k_b, k_h, k_s, v_b, v_h, v_s, grad_b, grad_h, grad_s, dk_b, dk_h, dk_s, dv_b, dv_h, dv_s,
    start, Q, K, heads, group, scale,
    E: tl.constexpr, W: tl.constexpr, EP: tl.constexpr, WP: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
    PRECISION: tl.constexpr, TMA: tl.constexpr, FAST: tl.constexpr,
    ONE_LOOP: tl.constexpr, SPECIAL: tl.constexpr,
):  # fmt: skip
    """dk [B, G, K, E] and dv [B, G, K, W]; a program is a tile of N keys of a group of heads."""
    tiles = tl.cdiv(K, N)
    n = tl.program_id(0) % tiles
    groups = heads // group
    b = tl.program_id(0) // tiles // groups
    g = tl.program_id(0) // tiles % groups
    at_k = tl.minimum(n * N + tl.arange(0, N), K - 1)[:, None]
    k_rows = matrix(head(k, b, g, k_b, k_h), k_s, K, E, N, EP, TMA)
    v_rows = matrix(head(v, b, g, v_b, v_h), v_s, K, W, N, WP, TMA)
    keys = tile_rows(k_rows, n * N, k_s, K, E, N, EP, TMA, True)
    values = tile_rows(v_rows, n * N, v_s, K, W, N, WP, TMA, True)
    k_sum = tl.zeros([N, EP], tl.float32)
    v_sum = tl.zeros([N, WP], tl.float32)
    operands = (OPERANDS,)
    if DROPPED:
        seed = tl.load(seed)
    for member in range(group):
        h = g * group + member
        place = (b, h, start, Q, K, heads, scale, cap, dropout, seed)
        q_rows = matrix(head(q, b, h, q_b, q_h), q_s, Q, E, M, EP, TMA)
        grads = matrix(head(grad, b, h, grad_b, grad_h), grad_s, Q, W, M, WP, TMA)
        powers = sequence(lse + (b * heads + h).to(tl.int64) * Q, Q, M, TMA)
        sums = sequence(delta + (b * heads + h).to(tl.int64) * Q, Q, M, TMA)
        runs = query_tiles(n, M, N, Q, K, start, b, h, operands)
        many = count_all_queries(runs) if ONE_LOOP else count_tested_queries(runs)
        for i in tl.range(0, many, warp_specialize=SPECIAL):
            m = all_queries(i, runs) if ONE_LOOP else tested_queries(i, runs)
            k_sum, v_sum = to_keys(
                k_sum, v_sum, keys, values, q_rows, grads, powers, sums, m, at_k, q_s, grad_s, place,
                operands, E, W, EP, WP, M, PRECISION, TMA, FAST, True,
            )  # fmt: skip
        if WHOLE and not ONE_LOOP:
            for i in range(count_whole_queries(runs)):
                k_sum, v_sum = to_keys(
                    k_sum, v_sum, keys, values, q_rows, grads, powers, sums, whole_queries(i, runs), at_k,
                    q_s, grad_s, place, operands, E, W, EP, WP, M, PRECISION, TMA, FAST, False,
                )  # fmt: skip
        if PICKED and not ONE_LOOP:
            for i in range(count_picked_queries(runs)):
                m = picked_queries(i, runs)
                at_q = start + tl.minimum(m * M + tl.arange(0, M), Q - 1)[None, :]
                if picks(b, h, at_q, at_k, start, operands):
                    k_sum, v_sum = to_keys(
                        k_sum, v_sum, keys, values, q_rows, grads, powers, sums, m, at_k, q_s, grad_s, place,
                        operands, E, W, EP, WP, M, PRECISION, TMA, FAST, True,
                    )  # fmt: skip
    write_rows(head(dk, b, g, dk_b, dk_h), k_sum * scale, n * N, dk_s, K, E, N, EP)
    write_rows(head(dv, b, g, dv_b, dv_h), v_sum, n * N, dv_s, K, W, N, WP)
