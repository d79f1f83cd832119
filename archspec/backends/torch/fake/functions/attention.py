"""`F.scaled_dot_product_attention`: one fused operation where torch has one, its steps where not."""

from __future__ import annotations

import math
from typing import Any

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.functions.copies import cast
from archspec.backends.torch.fake.functions.create import ones, tensor
from archspec.backends.torch.fake.functions.join import repeat_interleave, tril
from archspec.backends.torch.fake.functions.pointwise import add, mul, where
from archspec.backends.torch.fake.functions.product import matmul
from archspec.backends.torch.fake.functions.reduce import sum_
from archspec.backends.torch.fake.functions.training import autocast, dropout
from archspec.backends.torch.fake.functions.views import transpose
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.run import current, uncast
from archspec.backends.torch.fake.tensor import Tensor


@function("scaled_dot_product_attention")
def attention(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    q, k, v, attn_mask = autocast(q, k, v, attn_mask)
    if not (q.numel() and k.numel() and v.numel()):
        return _of_none(q, k, v)
    if attn_mask is not None and attn_mask.dtype == dtypes.bool_:
        attn_mask = _as_bias(attn_mask, q)
    fused = q.shape[-1] == v.shape[-1] or current().device == "cuda"
    if current().device == "cpu":
        fused = fused and not dropout_p and _takes(attn_mask)
    if fused:
        return _fused(q, k, v, attn_mask)
    with uncast():
        return _in_steps(q, k, v, attn_mask, dropout_p, is_causal)


def _takes(mask: Tensor | None) -> bool:
    """Whether a CPU's fused operation takes a mask. Source: `check_for_attn_mask_shape`."""
    return mask is None or (not mask.requires_grad and mask.dim() in (2, 4))


def _of_none(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Zeros that lead back to every operand. Source: `scaled_dot_product_attention` in attention.cpp."""
    out = made("zeros", (), (*q.shape[:-1], v.shape[-1]), q.dtype)
    third, second, first = sum_(v), sum_(k), sum_(q)
    both = add(first, second)
    total = add(both, third)
    scaled = mul(total, 0.0)
    return add(out, scaled)


def _as_bias(mask: Tensor, q: Tensor) -> Tensor:
    return where(mask, tensor(0.0, dtype=q.dtype), tensor(-math.inf, dtype=q.dtype))


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """FLOPs of all pairs, which is what FlopCounterMode counts; backward: five products for two."""
    batch, heads, queries, width = q.shape
    pairs = batch * heads * queries * k.shape[2]
    shape = (batch, heads, queries, v.shape[3])
    sums = made("logsumexp", (), (batch, heads, queries), dtypes.float32, differentiable=False)
    kept: Any = [("query", q), ("key", k), ("value", v), ("out", None), ("logsumexp", sums)]
    kept += [("attn_mask", mask)] if mask is not None else []
    operands = (q, k, v) if mask is None else (q, k, v, mask)
    return made(
        "scaled_dot_product_attention", operands, shape, q.dtype,
        strides=layout.elementwise(shape, ((q.shape, q.strides),)) if shape == q.shape else None,
        saves=kept, flops=2 * pairs * (width + v.shape[3]), backward=2 * pairs * (3 * width + 2 * v.shape[3]),
    )  # fmt: skip


def _in_steps(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float, causal: bool) -> Tensor:
    """Source: `_scaled_dot_product_attention_math`, which computes in fp32 below it."""
    given = q.dtype
    if given.itemsize == 2:
        q, k, v = (cast(x, dtypes.float32) for x in (q, k, v))
    if q.shape[1] != k.shape[1]:
        k = repeat_interleave(k, q.shape[1] // k.shape[1], 1)
        v = repeat_interleave(v, q.shape[1] // v.shape[1], 1)
    if causal:
        mask = _as_bias(tril(ones(q.shape[2], k.shape[2], dtype=dtypes.bool_)), q)
    scaled = mul(q, 1.0)
    scores = matmul(scaled, mul(transpose(k, -2, -1), 1.0))
    scores = scores if mask is None else add(scores, mask)
    scores = made("_safe_softmax", (scores,), scores.shape, scores.dtype, saves=[("result", None)])
    scores = dropout(scores, p)
    weights = cast(scores, given)  # which it gives beside the result
    out = cast(matmul(scores, v), given)
    del q, k, scaled, weights
    return out
