"""Attention by brute force: every pair, in float64, with expressions read by Python itself."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor

_BITS: dict[type[ast.boolop], type[ast.operator]] = {ast.And: ast.BitAnd, ast.Or: ast.BitOr}


def attended(
    q: Tensor, k: Tensor, v: Tensor, weighed: Callable[[Tensor], Tensor], scale: float | None = None
) -> Tensor:
    """`weighed` makes weights [B, H, Q, K] of scaled products."""
    shared = q.shape[1] // k.shape[1]
    keys, values = (x.repeat_interleave(shared, 1) for x in (k, v))
    return weighed((q @ keys.mT) * (q.shape[3] ** -0.5 if scale is None else scale)) @ values


def weights(
    products: Tensor,
    seen: Tensor,
    added: Tensor | None = None,
    cap: float | None = None,
    sinks: Tensor | None = None,
) -> Tensor:
    """softmax over the pairs that are seen, and a sink; 0 where a query sees none."""
    scores = products if cap is None else cap * torch.tanh(products / cap)
    scores = scores if added is None else scores + added
    seen = seen.expand(scores.shape)
    highest = scores.masked_fill(~seen, -math.inf).amax(-1, keepdim=True).clamp(min=-1e30).detach()
    highest = highest if sinks is None else torch.maximum(highest, sinks.detach()[:, None, None])
    powers = (scores - highest).masked_fill(~seen, -math.inf).exp()
    total = powers.sum(-1, keepdim=True)
    total = total if sinks is None else total + (sinks[:, None, None] - highest).exp()
    return powers / torch.where(total > 0, total, 1.0)


def pairs(expr: str, scope: Mapping[str, Any], shape: tuple[int, int, int, int], start: int) -> Tensor:
    """What an expression says of each pair: [B, H, Q, K], or what broadcasts to it."""
    places = dict(zip("bhqk", torch.meshgrid(*map(torch.arange, shape), indexing="ij"), strict=True))
    places["q"] = places["q"] + start
    tree = ast.fix_missing_locations(_Elementwise().visit(ast.parse(expr, mode="eval")))
    words = {"start": start, "abs": torch.abs, "min": _each(torch.minimum), "max": _each(torch.maximum)}
    words |= {"where": _where, "log": torch.log, "exp": torch.exp, "sqrt": torch.sqrt, "floor": torch.floor}
    found = eval(compile(tree, expr, "eval"), {**words, **places, **scope, "true": True, "false": False})
    return found if isinstance(found, Tensor) else torch.full(shape, found)


class _Elementwise(ast.NodeTransformer):
    """`and`, `or`, `not`, `x if t else y`, and elements of tensors, of blocks of pairs."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        op = _BITS[type(node.op)]()
        return reduce(lambda a, b: ast.BinOp(a, op, b), [self.visit(x) for x in node.values])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        op = ast.Invert() if isinstance(node.op, ast.Not) else node.op
        return ast.UnaryOp(op, self.visit(node.operand))

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        parts: list[ast.expr] = [self.visit(x) for x in (node.test, node.body, node.orelse)]
        return ast.Call(ast.Name("where", ast.Load()), parts, [])


def _each(two: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda *values: reduce(two, map(torch.as_tensor, values))


def _where(test: Tensor, then: Any, orelse: Any) -> Tensor:
    return torch.where(test, torch.as_tensor(then), torch.as_tensor(orelse))
