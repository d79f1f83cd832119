"""Other ways to compute a case: SDPA by backend, FlexAttention compiled, and torch step by step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import AuxRequest, create_block_mask, flex_attention

from benchmarks.gpu.cases import Case
from benchmarks.gpu.operands import Operands
from benchmarks.gpu.reference import scope, weights
from benchmarks.gpu.rules import function, places

Attend = Callable[[Operands], Tensor]
BACKENDS = {
    "sdpa flash": SDPBackend.FLASH_ATTENTION,
    "sdpa cudnn": SDPBackend.CUDNN_ATTENTION,
    "sdpa efficient": SDPBackend.EFFICIENT_ATTENTION,
    "sdpa math": SDPBackend.MATH,
}
FLEX = {"flex": {}, "flex tma": {"USE_TMA": True}}
CAUSAL = {
    "causal flash": BACKENDS["sdpa flash"],
    "causal cudnn": BACKENDS["sdpa cudnn"],
}  # compute more: yardsticks
SCORES = 8 << 30  # bytes of scores that a way which holds them all may take
MASK = 4 << 30  # bytes of a mask


def names(case: Case) -> list[str]:
    """Those that can say the case."""
    by_mask = case.score is None and case.cap is None and not case.sunk
    sdpa = [*BACKENDS] if case.dense else ["sdpa cudnn", "sdpa efficient", "sdpa math"] if by_mask else []
    causal = [*CAUSAL] if case.rule and not case.dense and case.K == case.Q else []
    long = case.dense and not case.tunes  # a second length
    flex = [] if long else [*FLEX] if case.tunes else ["flex"]
    return [*sdpa, *flex, "eager", *causal]


def peer(name: str, case: Case, x: Operands, dry: bool = False) -> Attend:
    """The way of that name. Raises ValueError where it would take too much memory."""
    if name in FLEX:
        return _flex(case, x, FLEX[name], dry)
    if name in CAUSAL:
        return partial(_sdpa, case, CAUSAL[name], None, True)
    if name in ("eager", "sdpa math"):
        _refuse("scores", 4 * case.B * case.H * case.Q * case.K, SCORES)
    if name == "eager":
        return partial(_eager, case)
    mask = None if case.dense else _mask(case, x)
    return partial(_sdpa, case, BACKENDS[name], mask, case.dense and bool(case.rule))


def _refuse(what: str, size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"{what} of {size / 2**30:.0f} GiB: not run")


def _mask(case: Case, x: Operands) -> Tensor:
    """[B or 1, 1, Q, K], made once."""
    rule = case.rule or "true"
    batch = case.B if case.tables else 1
    _refuse("a mask", batch * case.Q * case.K, MASK)
    at = places((batch, 1, case.Q, case.K), case.start, x.q.device)
    return function(rule, scope(case, x))(*at).expand(batch, 1, case.Q, case.K).contiguous()


def _sdpa(case: Case, backend: SDPBackend, mask: Tensor | None, causal: bool, x: Operands) -> Tensor:
    """Causal for one query is full: it stands at the last key."""
    with sdpa_kernel(backend):
        return F.scaled_dot_product_attention(
            x.q, x.k, x.v, mask, is_causal=causal and not case.decodes, enable_gqa=case.H > case.G
        )


def _eager(case: Case, x: Operands) -> Tensor:
    """Scores and weights of all pairs, weights in fp32."""
    group = case.H // case.G
    k, v = (y.repeat_interleave(group, 1) if group > 1 else y for y in (x.k, x.v))
    scores = (x.q @ k.mT).float() * case.E**-0.5
    return weights(case, scores, scope(case, x), x.sinks).to(v.dtype) @ v


def _flex(case: Case, made: Operands, options: dict[str, Any], dry: bool) -> Attend:
    """Its block mask is made once, as for all layers of a model. Sinks by the logarithms that it returns."""
    call: Any = flex_attention if dry else torch.compile(flex_attention, dynamic=False)
    known = {
        "block_mask": _blocks(case, made),
        "enable_gqa": case.H > case.G,
        "kernel_options": options or None,
    }
    scores: dict[int, Any] = {}  # of the same operands the same function, or it would be compiled again

    def run(x: Operands) -> Tensor:
        score = scores.setdefault(id(x), _score(case, x))
        if x.sinks is None:
            return call(x.q, x.k, x.v, score_mod=score, **known)
        out, found = call(x.q, x.k, x.v, score_mod=score, return_aux=AuxRequest(lse=True), **known)
        return out * torch.sigmoid(found.lse - x.sinks[:, None])[..., None].to(out.dtype)

    return run


def _blocks(case: Case, x: Operands) -> Any:
    if not case.rule:
        return None
    rule, start = function(case.rule, scope(case, x)), case.start
    batch = case.B if case.tables else None
    device = str(x.q.device)
    return create_block_mask(
        lambda b, h, q, k: rule(b, h, q + start, k), batch, None, case.Q, case.K, device=device
    )


def _score(case: Case, x: Operands) -> Any:
    """The `score_mod`, or None."""
    if case.score is None and case.cap is None:
        return None
    added = function(case.score, scope(case, x)) if case.score else None
    cap, start = case.cap, case.start

    def score(value: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        value = value if cap is None else cap * torch.tanh(value / cap)
        return value if added is None else value + added(b, h, q + start, k)

    return score
