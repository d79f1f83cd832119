"""Attention and its gradients by every pair, in float64, some heads at a time."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.cases import Case
from benchmarks.gpu.operands import Operands
from benchmarks.gpu.rules import function, places

MOST = 1 << 27  # scores held at a time: 1 GiB
ROWS = 1 << 28  # pairs counted at a time


def scope(case: Case, x: Operands) -> dict[str, Any]:
    """What rule and score name."""
    return {**case.numbers, **x.tables, "true": True, "false": False}


def reference(case: Case, x: Operands, grad: Tensor | None) -> dict[str, Tensor]:
    """The result, and with `grad` the gradient of every operand of floats."""
    exact = x.as_leaves(torch.float64)
    group = case.H // case.G
    step = max(1, MOST // (case.B * case.Q * case.K * group)) * group
    outs: list[Tensor] = []
    for first in range(0, case.H, step):
        out = _heads(case, exact, first, min(first + step, case.H))
        if grad is not None:
            out.backward(grad[:, first : first + step].double())
        outs.append(out.detach())
    gradients = {word: leaf.grad for word, leaf in exact.floats.items() if leaf.grad is not None}
    return {"out": torch.cat(outs, 1), **gradients}


def _heads(case: Case, x: Operands, first: int, last: int) -> Tensor:
    """The result of heads `first` to before `last`, whole groups of them."""
    group = case.H // case.G
    k, v = (y[:, first // group : last // group].repeat_interleave(group, 1) for y in (x.k, x.v))
    scores = x.q[:, first:last] @ k.mT * case.E**-0.5
    sinks = None if x.sinks is None else x.sinks[first:last]
    return weights(case, scores, scope(case, x), sinks, first) @ v


def weights(
    case: Case, scores: Tensor, known: dict[str, Any], sinks: Tensor | None, first: int = 0
) -> Tensor:
    """softmax over the pairs that count, and a sink; 0 where a query sees none. Heads from `first` on."""
    b, h, q, k = places((case.B, scores.shape[1], case.Q, case.K), case.start, scores.device)
    at = (b, h + first, q, k)
    if case.cap is not None:
        scores = case.cap * torch.tanh(scores / case.cap)
    if case.score:
        scores = scores + function(case.score, known)(*at)
    if case.rule:
        scores = scores.masked_fill(~function(case.rule, known)(*at), -math.inf)
    highest = scores.detach().amax(-1, keepdim=True).clamp(min=-1e30)
    if sinks is not None:
        highest = torch.maximum(highest, sinks.detach().to(scores.dtype)[:, None, None])
    powers = (scores - highest).exp()
    total = powers.sum(-1, keepdim=True)
    if sinks is not None:
        total = total + (sinks.to(scores.dtype)[:, None, None] - highest).exp()
    return powers / torch.where(total > 0, total, 1.0)


def pairs(case: Case, x: Operands) -> int:
    """Pairs that count, of all batches and heads. Rules here do not read h."""
    if not case.rule:
        return case.B * case.H * case.Q * case.K
    rule = function(case.rule, scope(case, x))
    step = max(1, ROWS // (case.B * case.K))
    found = 0
    for first in range(0, case.Q, step):
        rows = min(step, case.Q - first)
        seen = rule(*places((case.B, 1, rows, case.K), case.start, x.q.device, first))
        found += int(seen.expand(case.B, 1, rows, case.K).sum().item())
    return found * case.H


def errors(found: dict[str, Tensor], true: dict[str, Tensor]) -> dict[str, float]:
    """The largest error of each, as a part of the largest element of what is right; infinite for NaN."""
    return {word: _distance(found[word], true[word]) for word in found}


def _distance(found: Tensor, true: Tensor) -> float:
    far, most = (found.double() - true).abs().max().item(), true.abs().max().item()
    return math.inf if math.isnan(far) else far / (most or 1.0)
