"""What a structure has to say, here for `k <= q`: the contract between the generator and the kernels.

m and n are numbers of tiles of M queries and N keys, of Q and K in all; q and k are positions, `start` that
of the first query. Positions are scalars or blocks that broadcast against each other.
"""

import triton
import triton.language as tl

SCORED = tl.constexpr(False)  # something is added to the scores
CAPPED = tl.constexpr(False)  # scores are capped before
PLAIN = tl.constexpr(True)  # neither
SUNK = tl.constexpr(False)  # every head has a sink
DROPPED = tl.constexpr(False)  # some weights are left out
WHOLE = tl.constexpr(True)  # there may be tiles in which every pair counts, or all that `inside` lets through
INSIDE = tl.constexpr(False)  # `inside` has to be asked there
LEARNED = tl.constexpr(False)  # the score looks up tensors that may have gradients
BY_QUERY = BY_KEY = BY_DISTANCE = BY_PAIR = tl.constexpr(False)  # the pairs that read one element of them
CHECKED = False  # `check` has something to check
PICKED = tl.constexpr(False)  # data may pick pairs of further tiles
BUSY = tl.constexpr(False)  # pairs hold registers besides scores: drawn, read pair by pair, or picked by data
BY_HEAD = tl.constexpr(False)  # which tiles are visited differs between heads
VARYING: tuple[str, ...] = ()  # parameters whose values make no new kernel
OPERANDS = 0  # what it reads: tensors, each with its strides, then numbers


@triton.jit
def visible(b, h, q, k, start, operands):
    """Whether a pair counts."""
    return k <= q


@triton.jit
def inside(b, h, q, k, start, operands):
    """Whether a pair counts, in a whole tile."""
    return k <= q


@triton.jit
def picks(b, h, q, k, start, operands):
    """Whether data may pick a pair of a tile; where it picks none, the tile is left out."""
    return tl.max((k <= q).to(tl.int32)) > 0


@triton.jit
def score(b, h, q, k, start, operands):
    """What is added to the score of a pair."""
    return 0.0


@triton.jit
def part(ds, LOOKUP: tl.constexpr, b, h, q, k, start, operands):
    """What of the gradient of scores goes to an element that the score looks up."""
    return ds


LOOKUPS: tuple[tuple[int, str, str], ...] = ()  # operand, pairs that read one element, axes read as they are


def read_at(lookup, b, h, q, k, start, operands):
    """The elements that the score reads at these places: an index along each axis."""
    return (b, h, q, k)


@triton.jit
def key_tiles(m, M, N, Q, K, start, b, h, operands):
    """Where runs of tiles of keys begin and end, for a tile of queries."""
    end = tl.cdiv(tl.minimum(start + tl.minimum(m * M + M, Q), K), N)
    inner = tl.minimum((start + m * M + 1) // N, end)
    return inner, end


@triton.jit
def query_tiles(n, M, N, Q, K, start, b, h, operands):
    """Where runs of tiles of queries begin and end, for a tile of keys."""
    begin = tl.maximum(n * N - start, 0) // M
    inner = tl.maximum(tl.cdiv(tl.maximum(tl.minimum(n * N + N, K) - 1 - start, 0), M), begin)
    return begin, tl.minimum(inner, tl.cdiv(Q, M)), tl.cdiv(Q, M)


@triton.jit
def reaches(n, runs):
    """Whether the n-th tile of keys is in any run."""
    inner, end = runs
    return n < end


@triton.jit
def count_tested_keys(runs):
    """How many tiles are tested pair by pair."""
    inner, end = runs
    return end - inner


@triton.jit
def tested_keys(i, runs):
    """The i-th of them."""
    inner, end = runs
    return inner + i


all_keys = certain_keys = whole_keys = picked_keys = tested_keys
all_queries = whole_queries = tested_queries = picked_queries = tested_keys
count_all_keys = count_certain_keys = count_whole_keys = count_picked_keys = count_tested_keys
count_whole_queries = count_picked_queries = count_tested_queries = count_tested_keys
