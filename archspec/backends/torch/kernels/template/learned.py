"""Gradients of the tensors that a score looks up: what pairs give, summed over those that read one element.

Weights are computed anew once more, in a kernel of its own: tensors that do not learn cost nothing. Each sum
is one program's, in a fixed order; what programs found is summed by torch, in a fixed order too.
"""

import triton
import triton.language as tl

from archspec.backends.torch.kernels.template.backward import sloped, thinned, weighed
from archspec.backends.torch.kernels.template.rows import head, tile_rows
from archspec.backends.torch.kernels.template.structure import (
    BY_DISTANCE,
    BY_KEY,
    BY_PAIR,
    BY_QUERY,
    DROPPED,
    OPERANDS,
    VARYING,
    all_keys,
    all_queries,
    count_all_keys,
    count_all_queries,
    key_tiles,
    part,
    query_tiles,
    reaches,
)


@triton.jit
def along_diagonal(m, n, M, N, Q, K, start, b, h, operands):
    """How many steps tiles m + i, n + i go before one is visited, and before the last one that is."""
    steps = tl.minimum(tl.cdiv(Q, M) - m, tl.cdiv(K, N) - n)
    first = steps
    last = 0
    for i in range(steps):
        if reaches(n + i, key_tiles(m + i, M, N, Q, K, start, b, h, operands)):
            first = tl.minimum(first, i)
            last = i + 1
    return first, last


@triton.jit
def of_scores(
    q, k, v, grad, lse, delta, m, n, q_s, k_s, v_s, grad_s, place, operands,
    E: tl.constexpr, W: tl.constexpr, EP: tl.constexpr, WP: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
    PRECISION: tl.constexpr, FAST: tl.constexpr,
):  # fmt: skip
    """The gradients of the scores of a tile of pairs."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    row = m * M + tl.arange(0, M)
    key = n * N + tl.arange(0, N)
    at_q = start + tl.minimum(row, Q - 1)[:, None]
    at_k = tl.minimum(key, K - 1)[None, :]
    queries = tile_rows(q, m * M, q_s, Q, E, M, EP, False, True)
    keys = tile_rows(k, n * N, k_s, K, E, N, EP, False, True)
    values = tile_rows(v, n * N, v_s, K, W, N, WP, False, True)
    dy = tile_rows(grad, m * M, grad_s, Q, W, M, WP, False, True)
    powers = tl.load(lse + row, mask=row < Q, other=float("inf"))[:, None]
    totals = tl.load(delta + row, mask=row < Q, other=0.0)[:, None]
    products = tl.dot(queries, tl.trans(keys), input_precision=PRECISION)
    weights = weighed(products, powers, at_q, at_k, place, operands, FAST, True)
    weights = tl.where((key < K)[None, :], weights, 0.0)
    gradients = thinned(tl.dot(dy, tl.trans(values), input_precision=PRECISION), at_q, at_k, place)
    ds, _ = sloped(weights, gradients, totals, products, place, FAST)
    return ds


@triton.jit
def put_sums(
    sums, acc, own, at_head, Q, K, programs, M: tl.constexpr, N: tl.constexpr,
    BY_QUERY: tl.constexpr, BY_KEY: tl.constexpr, BY_DISTANCE: tl.constexpr, BY_PAIR: tl.constexpr,
):  # fmt: skip
    """Sums a program's pairs up, and writes what `backward_score` describes."""
    if BY_QUERY:
        row = own * M + tl.arange(0, M)
        tl.store(sums + at_head * Q + row, tl.sum(acc, 1), mask=row < Q)
    if BY_KEY:
        key = own * N + tl.arange(0, N)
        tl.store(sums + at_head * K + key, tl.sum(acc, 0), mask=key < K)
    if BY_DISTANCE:
        # Row i turned by i places: column j then holds distance j, and N less where the row has come around.
        turned = tl.arange(0, M)[:, None] + tl.arange(0, N)[None, :]
        acc = tl.gather(acc, turned % N, 1)
        base = sums + (at_head * programs + own) * 2 * N + tl.arange(0, N)
        tl.store(base, tl.sum(tl.where(turned < N, acc, 0.0), 0))
        tl.store(base + N, tl.sum(tl.where(turned < N, 0.0, acc), 0))
    if BY_PAIR:
        row = own // tl.cdiv(K, N) * M + tl.arange(0, M)[:, None]
        key = own % tl.cdiv(K, N) * N + tl.arange(0, N)[None, :]
        tl.store(sums + (at_head * Q + row) * K + key, acc, mask=(row < Q) & (key < K))


@triton.jit(do_not_specialize=[VARYING])
def backward_score(
    q, k, v, grad, lse, delta, sums, cap, dropout, seed, OPERANDS,
    q_b, q_h, q_s, k_b, k_h, k_s, v_b, v_h, v_s, grad_b, grad_h, grad_s,
    start, Q, K, heads, group, scale, programs,
    E: tl.constexpr, W: tl.constexpr, EP: tl.constexpr, WP: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
    PRECISION: tl.constexpr, TMA: tl.constexpr, FAST: tl.constexpr, LOOKUP: tl.constexpr,
    BY_QUERY: tl.constexpr, BY_KEY: tl.constexpr, BY_DISTANCE: tl.constexpr, BY_PAIR: tl.constexpr,
):  # fmt: skip
    """What pairs give to one lookup of the score: `sums` of each query [B, H, Q], each key [B, H, K], of the
    distances in each diagonal of tiles [B, H, programs, 2, N], or of each pair [B, H, Q, K].

    A program is a tile of queries, of keys, a diagonal of tiles (N is M) or a tile of pairs, of a head.
    """
    own = tl.program_id(0) % programs
    b = tl.program_id(0) // programs // heads
    h = tl.program_id(0) // programs % heads
    operands = (OPERANDS,)
    if DROPPED:
        seed = tl.load(seed)
    place = (b, h, start, Q, K, heads, scale, cap, dropout, seed)
    first = 0
    if BY_QUERY:
        runs = key_tiles(own, M, N, Q, K, start, b, h, operands)
        last = count_all_keys(runs)
    if BY_KEY:
        runs = query_tiles(own, M, N, Q, K, start, b, h, operands)
        last = count_all_queries(runs)
    if BY_DISTANCE:
        m_0 = tl.maximum(tl.cdiv(Q, M) - 1 - own, 0)
        n_0 = tl.maximum(own - (tl.cdiv(Q, M) - 1), 0)
        first, last = along_diagonal(m_0, n_0, M, N, Q, K, start, b, h, operands)
    if BY_PAIR:
        m_0 = own // tl.cdiv(K, N)
        n_0 = own % tl.cdiv(K, N)
        last = reaches(n_0, key_tiles(m_0, M, N, Q, K, start, b, h, operands)).to(tl.int32)
    q_rows = head(q, b, h, q_b, q_h)
    k_rows = head(k, b, h // group, k_b, k_h)
    v_rows = head(v, b, h // group, v_b, v_h)
    grads = head(grad, b, h, grad_b, grad_h)
    rows = (b * heads + h).to(tl.int64) * Q
    acc = tl.zeros([M, N], tl.float32)
    for i in range(first, last):
        if BY_QUERY:
            m, n = own, all_keys(i, runs)
        if BY_KEY:
            m, n = all_queries(i, runs), own
        if BY_DISTANCE or BY_PAIR:
            m, n = m_0 + i, n_0 + i
        ds = of_scores(
            q_rows, k_rows, v_rows, grads, lse + rows, delta + rows, m, n, q_s, k_s, v_s, grad_s, place,
            operands, E, W, EP, WP, M, N, PRECISION, FAST,
        )  # fmt: skip
        at_q = start + tl.minimum(m * M + tl.arange(0, M), Q - 1)[:, None]
        at_k = tl.minimum(n * N + tl.arange(0, N), K - 1)[None, :]
        acc += part(ds, LOOKUP, b, h, at_q, at_k, start, operands)
    at_head = (b * heads + h).to(tl.int64)
    put_sums(sums, acc, own, at_head, Q, K, programs, M, N, BY_QUERY, BY_KEY, BY_DISTANCE, BY_PAIR)
