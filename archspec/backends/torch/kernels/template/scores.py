"""Scores of a tile of pairs, and which of them count.

`place` is what the pairs of a program share: b, h, start, Q, K, heads, scale, cap, dropout, seed.
FAST: the tanh of the cap may be the one of the hardware, which has 11 bits: as many as float16.
"""

import triton
import triton.language as tl

from archspec.backends.torch.kernels.template.structure import (
    CAPPED,
    INSIDE,
    PLAIN,
    SCORED,
    inside,
    score,
    visible,
)


@triton.jit
def saturated(products, scale, cap, FAST: tl.constexpr):
    """How far scaled products go towards the cap: tanh(products * scale / cap)."""
    x = products * (scale / cap)
    if FAST:
        return tl.inline_asm_elementwise(
            "tanh.approx.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    else:
        e = tl.exp2(-2.885390081777927 * tl.abs(x))  # exp(-2 |x|), which does not overflow
        t = (1 - e) / (1 + e)
        return tl.where(x < 0, -t, t)


@triton.jit
def scored(products, q, k, place, operands, FAST: tl.constexpr):
    """Scores of products of queries and keys; plain ones are still without the scale."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    if CAPPED:
        products = saturated(products, scale, cap, FAST) * cap
    elif not PLAIN:
        products = products * scale
    if SCORED:
        products += score(b, h, q, k, start, operands)
    return products


@triton.jit
def to_base_2(scale):
    """What scores are multiplied by, so that exp2 is what exp would be."""
    if PLAIN:
        return scale * 1.4426950408889634
    else:
        return 1.4426950408889634


@triton.jit
def counts(q, k, place, operands, TESTED: tl.constexpr):
    """Which pairs of a tile count: those that the rule lets through; in whole tiles, that `inside` does."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    if TESTED or not INSIDE:
        return visible(b, h, q, k, start, operands)
    else:
        return inside(b, h, q, k, start, operands)


@triton.jit
def kept(q, k, place):
    """False for weights that dropout leaves out: the same in every kernel, from the pair's numbers."""
    b, h, start, Q, K, heads, scale, cap, dropout, seed = place
    drawn, _, _, _ = tl.philox(seed, k, q, b * heads + h, 0)
    return tl.uint_to_uniform_float(drawn) >= dropout
